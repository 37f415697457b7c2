import EventLog
import Synchronization
import WhatsApp

/// What earlier owners of a partition sent, as the results topic tells it: for copies of commands that they ended and this
/// disk does not remember.
///
/// Results lie in the partition of their command. It is read once for an ownership, up to the end that it had then: what
/// comes after is our own, and remembered. Bounded: of the newest `maxRecords` results of the partition the places of
/// accepted ones are kept, some 30 bytes each.
final class ResultHistory: Sendable {
    static let maxRecords: Offset = 250_000
    /// Whoever asks for commands may have another clock than whoever ends them.
    static let skew = Duration.seconds(600)

    private struct Known {
        /// Results since then are known, from this offset on up to `end`; nil before the first reading.
        var since: Timestamp?
        var from: Offset = 0
        var end: Offset = 0
        /// By hash of the command's id. What is found is read again: of two ids with one hash one is not found.
        var places: [Int: Offset] = [:]
        var reading: Task<Void, any Error>?
    }

    private let log: any Log
    private let partition: TopicPartition
    private let known = Mutex(Known())

    init(log: any Log, partition: TopicPartition) {
        self.log = log
        self.partition = partition
    }

    /// The result of a command that was accepted, if it is on the log.
    ///
    /// - Parameter since: nothing of the command can have ended before.
    func acceptance(of commandID: String, since: Timestamp) async throws -> OutboundResult? {
        while let reading = readingNeeded(since) { try await reading.value }
        guard let offset = known.withLock({ $0.places[commandID.hashValue] }) else { return nil }
        let record = try await log.withReader { try await $0.record(partition, at: offset) }
        guard let record, let result = try? OutboundResult(record), result.commandID == commandID else { return nil }
        return result
    }

    /// The reading to wait for before it is known what ended since then; nil when it is.
    private func readingNeeded(_ since: Timestamp) -> Task<Void, any Error>? {
        known.withLock { known in
            if let reading = known.reading { return reading }
            if let covered = known.since, covered <= since { return nil }
            let task = Task {
                defer { self.known.withLock { $0.reading = nil } }
                try await read(since: since)
            }
            known.reading = task
            return task
        }
    }

    private func read(since: Timestamp) async throws {
        var (before, found) = known.withLock { ($0, [Int: Offset]()) }
        let held = try await log.admin.watermarks(of: [partition])[partition] ?? Watermarks(low: 0, high: 0)
        if before.since == nil { (before.from, before.end) = (held.high, held.high) }
        let first = try await log.admin.offsets(at: since - Self.skew, of: [partition])[partition] ?? before.from
        let from = max(min(first, before.from), held.low, before.end - Self.maxRecords)
        // What is known may have left the log meanwhile.
        let unknown = from..<max(from, before.from)
        try await log.withReader { reader in
            try await reader.forEachRecord(of: partition, in: unknown) { Self.note($0, &found) }
        }
        known.withLock { [before, found] known in
            (known.since, known.from, known.end) = (since, min(from, before.from), before.end)
            known.places.merge(found) { newer, _ in newer }
        }
    }

    private static func note(_ record: StoredRecord, _ found: inout [Int: Offset]) {
        guard let result = try? OutboundResult(record), result.outcome == .accepted else { return }
        found[result.commandID.hashValue] = record.offset
    }
}
