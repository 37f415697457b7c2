/// The name of a topic, e.g. `whatsapp.messages.v1`. Kafka's rule: 1 to 249 of `[a-zA-Z0-9._-]`.
public struct Topic: Sendable, Hashable, Comparable, ExpressibleByStringLiteral, CustomStringConvertible {
    public let name: String

    public init(_ name: String) { self.name = name }
    public init(stringLiteral name: String) { self.name = name }

    public var description: String { name }
    public static func < (a: Topic, b: Topic) -> Bool { a.name < b.name }

    /// Whether Kafka would take the name; the logs refuse to create any other.
    public var isValid: Bool {
        (1...249).contains(name.utf8.count) && name != "." && name != ".."
            && name.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
                    true
                default: false
                }
            }
    }
}

/// One partition of one topic: the unit of order, of ownership and of progress.
public struct TopicPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
    public let topic: Topic
    public let partition: Int32

    public init(_ topic: Topic, _ partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    public var description: String { "\(topic)[\(partition)]" }
    public static func < (a: TopicPartition, b: TopicPartition) -> Bool {
        a.topic == b.topic ? a.partition < b.partition : a.topic < b.topic
    }
}

/// Position of a record in its partition, counted from 0. Offsets ascend; gaps are legal (compaction, retention).
public typealias Offset = Int64

/// What a partition holds now: records from `low` up to, not including, `high`.
public struct Watermarks: Sendable, Hashable {
    /// Offset of the oldest record that may still be there.
    public var low: Offset
    /// Offset that the next record will get.
    public var high: Offset

    public init(low: Offset, high: Offset) {
        self.low = low
        self.high = high
    }
}

/// What becomes of old records. Kafka's `cleanup.policy`, `retention.ms`, `retention.bytes`, `delete.retention.ms`.
public struct Retention: Sendable, Hashable {
    /// Keep only the newest record of each key. A null value deletes the key after `tombstoneAge`.
    public var compacts: Bool
    /// Records older than this go; nil keeps them for ever.
    public var age: Duration?
    /// Oldest records go while a partition holds more bytes than this; nil sets no bound.
    public var bytesPerPartition: Int64?
    /// How long a tombstone of a compacted topic stays readable.
    public var tombstoneAge: Duration
    /// No younger record is compacted away (Kafka's `min.compaction.lag.ms`). SQLite compacts as it likes.
    public var compactionLag: Duration

    public init(
        compacts: Bool = false, age: Duration? = nil, bytesPerPartition: Int64? = nil,
        tombstoneAge: Duration = .seconds(86_400), compactionLag: Duration = .zero
    ) {
        self.compacts = compacts
        self.age = age
        self.bytesPerPartition = bytesPerPartition
        self.tombstoneAge = tombstoneAge
        self.compactionLag = compactionLag
    }

    public static func delete(days: Int64) -> Retention { Retention(age: .seconds(days * 86_400)) }
    public static let compact = Retention(compacts: true)
    public static func compactAndDelete(days: Int64) -> Retention {
        Retention(compacts: true, age: .seconds(days * 86_400))
    }
}

/// A topic as it should be: what `Admin.createTopics` makes, or checks when it is there already.
public struct TopicSpec: Sendable, Hashable {
    public var topic: Topic
    /// Never changes in the life of a topic: keys would move and lose their order.
    public var partitions: Int32
    public var retention: Retention
    /// Largest record the topic takes, in bytes (Kafka's `max.message.bytes`).
    public var maxRecordBytes: Int

    public init(_ topic: Topic, partitions: Int32, retention: Retention, maxRecordBytes: Int = 1 << 20) {
        self.topic = topic
        self.partitions = partitions
        self.retention = retention
        self.maxRecordBytes = maxRecordBytes
    }
}
