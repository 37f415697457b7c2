import EventLog

/// A topic of which every instance of a processor reads all partitions, outside of its group.
public struct BroadcastInput: Sendable, Hashable {
    public var topic: Topic
    /// Records older than this are skipped at the start; nil: from the oldest that is held.
    public var maxAge: Duration?

    public init(_ topic: Topic, maxAge: Duration? = nil) {
        self.topic = topic
        self.maxAge = maxAge
    }
}
