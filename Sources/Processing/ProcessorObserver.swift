import EventLog

/// How one handling of a record ended.
public enum HandlingOutcome: String, Sendable, Hashable {
    case done
    /// Parked for another try, or on its way to the dead letters.
    case failed
    /// Written to the dead-letter topic.
    case dead
}

/// Where a runtime tells what happens: the seam for metrics and health. Calls come from many tasks and must be quick.
public protocol ProcessorObserver: Sendable {
    func received(_ records: Int, from partition: TopicPartition)
    /// Handlings that ended so, with how long each took. Those of a batch are told of together.
    func handled(_ partition: TopicPartition, _ outcome: HandlingOutcome, took: [Duration])
    /// Records that became durable, dead letters included.
    func produced(_ records: Int)
    /// After each commit. `oldest` is the time stamp of the oldest record that is received and not finished.
    func progressed(_ partition: TopicPartition, to offset: Offset, parked: Int, oldest: Timestamp?)
    /// The outcome of an effect became unknown: a take-over, a time-out, or the handler's word.
    func effectUnknown(_ partition: TopicPartition)
    /// Something went down or came back, as one lane sees it. `scope` is `processor` or `named`.
    func outage(_ scope: String, isOpen: Bool)
    /// Records of the state's topic that were taken over by a new owner.
    func restored(_ records: Int)
    /// Entries of the state that went because it was full.
    func evicted(_ entries: Int)
    /// A partition stands still and needs a person.
    func stuck(_ partition: TopicPartition)
    /// A partition was given up; what was told about it no longer holds.
    func released(_ partition: TopicPartition)
}

extension ProcessorObserver {
    public func effectUnknown(_ partition: TopicPartition) {}
    public func outage(_ scope: String, isOpen: Bool) {}
    public func restored(_ records: Int) {}
    public func evicted(_ entries: Int) {}
}

/// Listens to nothing.
public struct NoObserver: ProcessorObserver {
    public init() {}
    public func received(_ records: Int, from partition: TopicPartition) {}
    public func handled(_ partition: TopicPartition, _ outcome: HandlingOutcome, took: [Duration]) {}
    public func produced(_ records: Int) {}
    public func progressed(_ partition: TopicPartition, to offset: Offset, parked: Int, oldest: Timestamp?) {}
    public func stuck(_ partition: TopicPartition) {}
    public func released(_ partition: TopicPartition) {}
}
