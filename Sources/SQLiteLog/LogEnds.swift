import EventLog
import GRDB
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

    private typealias Waiter = CheckedContinuation<Result<Ends, LogError>, Never>

    private struct State {
        var ends = Ends()
        /// The rings that came before the look; nil before the first.
        var ticket: UInt64?
        var waiters: [Waiter] = []
        var isLooking = false
        var looks = 0
    }

    private let store: Store
    private let doorbell: Doorbell
    private let state = Mutex(State())

    init(_ store: Store, _ doorbell: Doorbell) {
        self.store = store
        self.doorbell = doorbell
    }

    /// As they were after `ticket` was taken, or later.
    func ends(after ticket: UInt64) async throws(LogError) -> Ends {
        let result = await withCheckedContinuation { (waiter: Waiter) in
            let (known, begins): (Ends?, Bool) = state.withLock { state in
                if let last = state.ticket, last >= ticket { return (state.ends, false) }
                state.waiters.append(waiter)
                defer { state.isLooking = true }
                return (nil, !state.isLooking)
            }
            if let known { waiter.resume(returning: .success(known)) }
            if begins { Task { await lookForAll() } }
        }
        return try result.get()
    }

    /// For tests.
    var looks: Int { state.withLock { $0.looks } }

    /// Those who come during a look share the next one.
    private func lookForAll() async {
        var goesOn = true
        while goesOn {
            let asked = state.withLock { state in
                defer { state.waiters = [] }
                return state.waiters
            }
            let ticket = doorbell.ticket
            let result = await look()
            state.withLock { state in
                state.looks += 1
                if case .success(let ends) = result { (state.ends, state.ticket) = (ends, ticket) }
            }
            for waiter in asked { waiter.resume(returning: result) }
            goesOn = state.withLock { state in
                state.isLooking = !state.waiters.isEmpty
                return state.isLooking
            }
        }
    }

    private func look() async -> Result<Ends, LogError> {
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
