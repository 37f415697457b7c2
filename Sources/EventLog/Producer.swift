/// Appends records.
public protocol Producer: Sendable {
    /// Appends `records` and calls `completion` once, when **all** are durable or when one of them has failed.
    ///
    /// - Durable means: on the disk (SQLite), or acknowledged by all in-sync replicas (Kafka).
    /// - Positions come in the order of `records`. Records of one partition are stored in the order given, also
    ///   across calls of one thread.
    /// - After a failure some of the records may still become durable (never on SQLite, where a call is one
    ///   transaction): sending again gives copies, which carry the same `ce_source` and `ce_id`.
    /// - The queue is bounded: `.queueFull` at once, nothing of the call is taken.
    /// - There is no time limit here. A caller with a deadline keeps its own clock and stops waiting.
    /// - `completion` runs on a thread of the log and must not block.
    func send(_ records: [Record], completion: @escaping @Sendable (Result<[RecordPosition], LogError>) -> Void)
}

extension Producer {
    /// `send` for async callers.
    @discardableResult
    public func produce(_ records: [Record]) async throws(LogError) -> [RecordPosition] {
        if records.isEmpty { return [] }
        return try await withCheckedContinuation { continuation in
            send(records) { continuation.resume(returning: $0) }
        }.get()
    }
}
