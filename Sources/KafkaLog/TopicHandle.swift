import CRdKafka
import EventLog
import Synchronization

/// A topic as a producer session knows it: librdkafka's handle, whether the topic has ever taken a record, and what of its
/// partitions is held back.
///
/// The pointer is freed by the session, and may be used from any thread: librdkafka locks for itself. The object is kept
/// by the client's context, since the library calls `partition(_:_:)` with it until the client is gone.
final class TopicHandle: @unchecked Sendable {
    let topic: Topic
    let pointer: OpaquePointer
    private let hasTaken = Atomic(false)
    private let partitions: PartitionCount
    /// By partition; none before the library has told how many there are. Then their number stays, also when partitions
    /// are added: a key keeps its gate, and its order.
    private let gates = Mutex<[PartitionGate]>([])

    /// Nil when the library makes none.
    init?(_ topic: Topic, _ client: RDKafkaClient, keptBy context: RDKafkaContext) {
        let partitions = PartitionCount()
        context.keep(partitions)
        let configuration = rd_kafka_default_topic_conf_dup(client.handle)
        rd_kafka_topic_conf_set_opaque(configuration, Unmanaged.passUnretained(partitions).toOpaque())
        rd_kafka_topic_conf_set_partitioner_cb(configuration, choosePartition)
        guard let pointer = rd_kafka_topic_new(client.handle, topic.name, configuration) else {
            rd_kafka_topic_conf_destroy(configuration)
            return nil
        }
        (self.topic, self.pointer, self.partitions) = (topic, pointer, partitions)
    }

    var isKnown: Bool { hasTaken.load(ordering: .relaxed) }
    func markKnown() {
        if !isKnown { hasTaken.store(true, ordering: .relaxed) }
    }

    /// The gate that a record has to pass; nil for one whose partition is the library's choice, or not known yet.
    func gate(of record: UnsafePointer<Record>) -> Int? {
        let count = partitions.value
        guard count > 0 else { return nil }
        if let partition = record.pointee.partition { return Int(max(partition, 0) % count) }
        return record.pointee.key.map { Int(Murmur2.partition(of: $0, partitions: count)) }
    }

    /// Everything about gates happens here, one at a time: who hands held records over does it before anybody else can
    /// hand over one that came later.
    func withGate<Result>(_ index: Int, _ body: (inout PartitionGate) -> Result) -> Result {
        gates.withLock { gates in
            while gates.count <= index { gates.append(PartitionGate()) }
            return body(&gates[index])
        }
    }

    var heldCount: Int { gates.withLock { $0.reduce(0) { $0 + $1.held.count } } }

    func takeHeld() -> [PartitionGate.Held] {
        gates.withLock { gates in gates.indices.flatMap { gates[$0].takeHeld() } }
    }
}

/// How many partitions a topic has, as the library tells with the first record that needs to know; 0 before.
private final class PartitionCount: Sendable {
    private let count = Atomic<Int32>(0)

    var value: Int32 { count.load(ordering: .relaxed) }
    func learn(_ count: Int32) {
        if value == 0 { self.count.store(count, ordering: .relaxed) }
    }
}

/// Kafka's usual choice. Runs wherever a record is handed over, or on the library's own thread.
private func choosePartition(
    _ topic: OpaquePointer?, _ key: UnsafeRawPointer?, _ keyLength: Int, _ count: Int32,
    _ partitions: UnsafeMutableRawPointer?, _ record: UnsafeMutableRawPointer?
) -> Int32 {
    if let partitions { Unmanaged<PartitionCount>.fromOpaque(partitions).takeUnretainedValue().learn(count) }
    return rd_kafka_msg_partitioner_murmur2_random(topic, key, keyLength, count, partitions, record)
}
