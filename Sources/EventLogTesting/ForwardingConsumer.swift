import EventLog

/// A consumer that passes on to another what it does not do itself: for wrappers that change a call or two.
///
/// `produce(_:sealedBy:for:)` is not passed on: by itself it is two calls of `produce`, which a wrapper then sees.
public protocol ForwardingConsumer: Consumer {
    var base: any Consumer { get }
}

extension ForwardingConsumer {
    public func next() async throws(LogError) -> ConsumerEvent? { try await base.next() }
    public func start(at positions: [TopicPartition: Offset]) async throws(LogError) {
        try await base.start(at: positions)
    }
    public func pause(_ partitions: [TopicPartition]) async throws(LogError) { try await base.pause(partitions) }
    public func resume(_ partitions: [TopicPartition]) async throws(LogError) { try await base.resume(partitions) }
    public func seek(_ partition: TopicPartition, to offset: Offset) async throws(LogError) {
        try await base.seek(partition, to: offset)
    }
    public func commit(_ commits: [TopicPartition: Commit], outputs: [Record]) async throws(LogError) {
        try await base.commit(commits, outputs: outputs)
    }
    @discardableResult
    public func produce(
        _ records: [Record], for sources: [TopicPartition]
    ) async throws(LogError) -> [RecordPosition] {
        try await base.produce(records, for: sources)
    }
    public func release(_ partitions: [TopicPartition]) async throws(LogError) { try await base.release(partitions) }
    public func close() async { await base.close() }
}

/// Hears of nothing and takes everything: what a consumer without a log behind it is based on.
public struct SilentConsumer: Consumer {
    public init() {}
    public func next() async throws(LogError) -> ConsumerEvent? { nil }
    public func start(at positions: [TopicPartition: Offset]) async throws(LogError) {}
    public func pause(_ partitions: [TopicPartition]) async throws(LogError) {}
    public func resume(_ partitions: [TopicPartition]) async throws(LogError) {}
    public func seek(_ partition: TopicPartition, to offset: Offset) async throws(LogError) {}
    public func commit(_ commits: [TopicPartition: Commit], outputs: [Record]) async throws(LogError) {}
    public func produce(_ records: [Record], for sources: [TopicPartition]) async throws(LogError) -> [RecordPosition] { [] }
    public func release(_ partitions: [TopicPartition]) async throws(LogError) {}
    public func close() async {}
}
