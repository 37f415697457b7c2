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
    /// `send` for who asks only whether the records are durable: nil says that all are. A log may do it for less.
    func write(_ records: [Record], completion: @escaping @Sendable (LogError?) -> Void)
}

/// A producer whose completions an event loop can run itself, without a thread of the log in between.
///
/// A thread less to be woken for every batch of acknowledgements, and no hop: at a few thousand records a second that
/// is a good part of what a record costs.
public protocol DrainableProducer: Producer {
    /// From now on `ring` is called when completions wait, and `drain` runs them; nil gives them back to the log's thread.
    ///
    /// `ring` is called on any thread and must neither block nor call the producer. When this returns, the one before
    /// is called no more. Around a change, and while the log closes or replaces what has failed, completions may still
    /// run on the log's thread.
    func setBell(_ ring: (@Sendable () -> Void)?)
    /// Runs the completions that are due, on the calling thread. Does not block.
    func drain()
}

extension Producer {
    public func write(_ records: [Record], completion: @escaping @Sendable (LogError?) -> Void) {
        send(records) { result in
            if case .failure(let error) = result { completion(error) } else { completion(nil) }
        }
    }

    /// `send` for async callers.
    @discardableResult
    public func produce(_ records: [Record]) async throws(LogError) -> [RecordPosition] {
        if records.isEmpty { return [] }
        return try await withCheckedContinuation { continuation in
            send(records) { continuation.resume(returning: $0) }
        }.get()
    }
}
