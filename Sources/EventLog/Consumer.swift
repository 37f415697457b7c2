/// How a member takes part in a consumer group.
public struct ConsumerConfiguration: Sendable {
    public var group: String
    /// All members of a group subscribe to the same topics; topics of equal partition count are co-assigned
    /// (range assignment), which joins rely on.
    public var topics: [Topic]
    /// A member that is silent for so long loses its partitions. SQLite uses its lease time (3 s) instead.
    ///
    /// Longer than a broker's failover: while the group's coordinator moves to another broker (7.5 to 20 s measured on
    /// three brokers) no heartbeat is answered, and a shorter time costs every member its partitions.
    public var sessionTimeout: Duration
    /// Stable name of this member (Kafka's `group.instance.id`); nil for dynamic membership.
    public var instanceID: String?
    /// Bound on records fetched ahead and not yet taken by `next()`, in bytes. What the log's library has on its way then
    /// is kept for a moment, a quarter of a second on Kafka, and let go if nothing is taken.
    public var maxBufferedBytes: Int
    /// Bound on the records of one `.records` event.
    public var maxBatchRecords: Int

    public init(
        group: String, topics: [Topic], sessionTimeout: Duration = .seconds(30), instanceID: String? = nil,
        maxBufferedBytes: Int = 32 << 20, maxBatchRecords: Int = 500
    ) {
        self.group = group
        self.topics = topics
        self.sessionTimeout = sessionTimeout
        self.instanceID = instanceID
        self.maxBufferedBytes = maxBufferedBytes
        self.maxBatchRecords = maxBatchRecords
    }
}

/// What a group has stored for a partition: the offset to go on from, and a note of at most 4,096 bytes.
///
/// `Progress` is what Millrace's own groups keep in the note; other tools may leave it empty.
public struct Commit: Sendable, Hashable {
    public var offset: Offset
    public var metadata: String

    public static let maxMetadataBytes = 4_096

    public init(offset: Offset, metadata: String = "") {
        self.offset = offset
        self.metadata = metadata
    }
}

/// What happens to a group member.
public enum ConsumerEvent: Sendable {
    /// These partitions are ours now, each with the group's commit (nil: the group has none for it).
    /// **Nothing is read until `start(at:)` says where.**
    case assigned([TopicPartition: Commit?])
    /// Records of one partition, offsets ascending, never empty.
    case records(TopicPartition, [StoredRecord])
    /// The group wants these back. Finish or disown what is in flight, commit, then call `release`.
    /// Commits are accepted until `release`, or until the others' patience ends (then `.lost` follows).
    case revoked([TopicPartition])
    /// Somebody else owns these already: forget them; a commit would be refused.
    case lost([TopicPartition])
    /// The partition does not hold the offset asked for. It stands still until `seek`.
    case outOfRange(TopicPartition, requested: Offset, held: Watermarks)
}

/// A member of a consumer group.
///
/// One task calls `next()` in a loop; the other methods may be called from anywhere. Fetching ahead is bounded by
/// `maxBufferedBytes`, so not calling `next()` is back-pressure; membership is kept alive meanwhile.
public protocol Consumer: Sendable {
    /// Waits for the next event. Nil after `close`. Throws `.isFatal` errors only; the consumer is unusable then.
    func next() async throws(LogError) -> ConsumerEvent?

    /// Begins reading newly assigned partitions, each at its offset. Must name every partition of the `.assigned`
    /// event in one call; one that should wait can be paused before or after.
    func start(at positions: [TopicPartition: Offset]) async throws(LogError)

    /// Stops delivery of these partitions; what is already fetched is kept for later or fetched again.
    func pause(_ partitions: [TopicPartition]) async throws(LogError)
    func resume(_ partitions: [TopicPartition]) async throws(LogError)

    /// Goes on from another offset. No record from before the call is delivered after it returns.
    func seek(_ partition: TopicPartition, to offset: Offset) async throws(LogError)

    /// Stores progress for partitions that this member owns, after making `outputs` durable.
    ///
    /// On SQLite both happen in one transaction that also checks the lease; on Kafka the outputs are acknowledged
    /// first. `.fenced` when a partition is not ours (any more): then nothing was committed (and on SQLite nothing
    /// appended). `.metadataTooLarge` beyond `Commit.maxMetadataBytes`.
    func commit(_ commits: [TopicPartition: Commit], outputs: [Record]) async throws(LogError)

    /// Appends `records` on behalf of owned partitions, without committing. `.fenced` when one of `sources` is not
    /// ours: SQLite checks the lease in the transaction; Kafka can only check what this member knows.
    @discardableResult
    func produce(_ records: [Record], for sources: [TopicPartition]) async throws(LogError) -> [RecordPosition]

    /// The same, and `seal` becomes durable only when all of `records` are: on SQLite in the same transaction, on Kafka
    /// after they are acknowledged. Answers the positions of both, in order.
    func produce(_ records: [Record], sealedBy seal: [Record], for sources: [TopicPartition])
        async throws(LogError) -> [RecordPosition]

    /// Gives up revoked partitions. Nothing of them is delivered or committed afterwards.
    func release(_ partitions: [TopicPartition]) async throws(LogError)

    /// Leaves the group, so that others take over at once. Commit before.
    func close() async
}

extension Consumer {
    public func commit(_ commits: [TopicPartition: Commit]) async throws(LogError) {
        try await commit(commits, outputs: [])
    }

    public func produce(
        _ records: [Record], sealedBy seal: [Record], for sources: [TopicPartition]
    ) async throws(LogError) -> [RecordPosition] {
        let positions = records.isEmpty ? [] : try await produce(records, for: sources)
        return try await positions + produce(seal, for: sources)
    }
}
