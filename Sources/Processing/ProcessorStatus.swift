import EventLog

/// Where one partition stands, as its lane knows it at this moment.
public struct PartitionStanding: Sendable, Hashable {
    /// Everything received below is done or parked. Parked records beyond those that a commit lists count as unfinished
    /// here and in `oldest`.
    public var position: Offset
    /// The offset after the last one received.
    public var next: Offset
    /// Time stamp of the oldest record that is received and neither done nor parked.
    public var oldest: Timestamp?
    /// The same of records that are parked.
    public var oldestParked: Timestamp?
    public var parked: Int
    /// Records still to be handled again for their state alone: a restore is under way while it is not 0.
    public var restoring: Int64

    public init(
        position: Offset, next: Offset, oldest: Timestamp?, oldestParked: Timestamp? = nil, parked: Int, restoring: Int64
    ) {
        self.position = position
        self.next = next
        self.oldest = oldest
        self.oldestParked = oldestParked
        self.parked = parked
        self.restoring = restoring
    }
}

/// What a runtime is doing, for those who watch it.
public struct ProcessorStatus: Sendable {
    /// Whether the group has given us partitions at least once, or has left us without any for so long that we stand by.
    public var isMember = false
    /// New partitions are being opened.
    public var isOpening = false
    /// State topics' partitions that are being restored before their lanes begin.
    public var restores: [TopicPartition: RestoreProgress] = [:]
    /// Partitions that stand still and need a person.
    public var stuck: Set<TopicPartition> = []
    /// Something that must become durable is refused again and again: a full disk, a log that takes nothing.
    public var isUndurable = false
    /// Partitions that are being worked on.
    public var partitions: [TopicPartition: PartitionStanding] = [:]

    public init() {}
}

/// What has a status; `ProcessorRuntime`, whatever its clock.
public protocol ProcessorStatusSource: Sendable {
    var status: ProcessorStatus { get }
}

extension PartitionState {
    var standing: PartitionStanding {
        PartitionStanding(
            position: tracker.firstUnfinished, next: tracker.next, oldest: tracker.oldest,
            oldestParked: tracker.oldestParked, parked: tracker.waitingCount, restoring: restoring)
    }
}
