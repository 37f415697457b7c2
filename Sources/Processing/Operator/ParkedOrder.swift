import EventLog

/// An operator's order about parked records of one partition, on its way over the control topic to the partition's owner.
///
/// It travels in headers, `control.…`, so that any Kafka tool shows it; the key is its id, the value is empty.
public struct ParkedOrder: Sendable, Hashable {
    public enum Action: String, Sendable, Hashable {
        /// Try now instead of when it is due. The first record of the key is tried, whichever of them is named.
        case release
        /// Give up: to the dead letters, with disposition `REJECTED` and class `operator`.
        case drop
    }

    /// The same for every repetition of an order.
    public var id: String
    public var action: Action
    public var group: String
    public var source: TopicPartition
    public var offsets: OffsetSet

    public init(id: String, action: Action, group: String, source: TopicPartition, offsets: OffsetSet) {
        self.id = id
        self.action = action
        self.group = group
        self.source = source
        self.offsets = offsets
    }

    public func record(topic: Topic) -> Record {
        var headers = Headers([Header("control.kind", "parked-order")])
        headers.append("control.action", action.rawValue)
        headers.append("control.group", group)
        headers.append("control.topic", source.topic.name)
        headers.append("control.partition", "\(source.partition)")
        headers.append("control.offsets", offsets.ranges.map { "\($0.lowerBound)-\($0.upperBound - 1)" }.joined(separator: ","))
        return Record(topic: topic, partition: 0, key: Array(id.utf8), value: [], headers: headers)
    }

    /// Nil for a record that is no order.
    public init?(_ record: StoredRecord) {
        func text(_ name: String) -> String? { record.headers.string("control." + name) }
        guard text("kind") == "parked-order", let key = record.key, let action = text("action").flatMap(Action.init(rawValue:)),
            let group = text("group"), let topic = text("topic"), let partition = text("partition").flatMap({ Int32($0) }),
            let offsets = text("offsets")
        else { return nil }
        var set = OffsetSet()
        for run in offsets.split(separator: ",") {
            let ends = run.split(separator: "-", omittingEmptySubsequences: false).map { Offset($0) }
            guard ends.count == 2, let first = ends[0], let last = ends[1], first >= 0, last >= first, last < .max else { return nil }
            set.insert(first..<last + 1)
        }
        self.init(
            id: String(decoding: key, as: UTF8.self), action: action, group: group,
            source: TopicPartition(Topic(topic), partition), offsets: set)
    }
}

/// What the owner answers: to how many of the records the order was applied. The others were not parked (any more), or
/// are being tried just now.
public struct ParkedAnswer: Sendable, Hashable {
    public var id: String
    public var applied: Int

    public init(id: String, applied: Int) {
        self.id = id
        self.applied = applied
    }

    public func record(topic: Topic) -> Record {
        Record(
            topic: topic, partition: 0, key: Array(id.utf8), value: [],
            headers: Headers([Header("control.kind", "parked-answer"), Header("control.applied", "\(applied)")]))
    }

    /// Nil for a record that is no answer.
    public init?(_ record: StoredRecord) {
        guard record.headers.string("control.kind") == "parked-answer", let key = record.key,
            let applied = record.headers.string("control.applied").flatMap({ Int($0) })
        else { return nil }
        self.init(id: String(decoding: key, as: UTF8.self), applied: applied)
    }
}
