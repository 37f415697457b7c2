import EventLog
import GRDB
import SQLiteParts
import Synchronization

/// Where partitions end and which version groups have, looked up once for all in this process who wait for news.
///
/// After each ring everybody who waits wants to know whether it was for him: a processor waits for its inputs, at each
/// partition of its broadcast inputs and for an operator's orders. With a transaction each a busy log was looked at
/// some thousand times a second, to find nothing.
final class LogEnds: Sendable {
    struct Ends: Sendable {
        /// The next offset of a partition, by its id.
        var next: [Int64: Offset] = [:]
        /// By group; one that is not there has version 0.
        var versions: [String: Int64] = [:]
    }

    private let last = LastLook()
    private let shared: SharedLooks<Void, Ends, LogError>

    init(_ store: Store, _ doorbell: Doorbell) {
        shared = SharedLooks { [last] asked in
            let ticket = doorbell.ticket
            let outcome = await Self.look(store)
            last.note(outcome, ticket)
            return asked.map { _ in outcome }
        }
    }

    /// As they were after `ticket` was taken, or later.
    func ends(after ticket: UInt64) async throws(LogError) -> Ends {
        if let known = last.ends(after: ticket) { return known }
        return try await shared.ask(())
    }

    /// For tests.
    var looks: Int { last.looks }

    /// What the last look found.
    private final class LastLook: Sendable {
        private struct Seen {
            var ends = Ends()
            /// The rings that came before the look; nil before the first.
            var ticket: UInt64?
            var looks = 0
        }

        private let seen = Mutex(Seen())

        var looks: Int { seen.withLock { $0.looks } }

        func ends(after ticket: UInt64) -> Ends? {
            seen.withLock { seen in seen.ticket.flatMap { $0 >= ticket ? seen.ends : nil } }
        }

        func note(_ outcome: Result<Ends, LogError>, _ ticket: UInt64) {
            seen.withLock { seen in
                seen.looks += 1
                if case .success(let ends) = outcome { (seen.ends, seen.ticket) = (ends, ticket) }
            }
        }
    }

    private static func look(_ store: Store) async -> Result<Ends, LogError> {
        do throws(LogError) {
            return .success(try await store.read { try Self.read($0) })
        } catch {
            return .failure(error)
        }
    }

    private static func read(_ db: Database) throws -> Ends {
        var ends = Ends()
        let partitions = try RawStatement(db, "SELECT id, next FROM partition")
        defer { partitions.reset() }
        while try partitions.step() { ends.next[partitions.integer(0)] = partitions.integer(1) }
        for row in try Row.fetchAll(db.cachedStatement(sql: "SELECT name, version FROM consumer_group")) {
            ends.versions[row[0]] = row[1]
        }
        return ends
    }
}
