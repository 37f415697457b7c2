import CRdKafka
import EventLog

/// What one round of polling takes: the library hands out long runs of one partition, and to look after the run costs less
/// than to look after each record.
struct Intake {
    struct Chunk {
        let source: TopicPartition
        var records: [StoredRecord] = []
    }

    /// Ended runs, never empty.
    private(set) var chunks: [Chunk] = []
    private(set) var count = 0
    private(set) var bytes = 0
    /// Offset from which on the run's records are wanted; nil when none is.
    private(set) var next: Offset?
    private var run: Chunk?
    /// The library's name of the run's partition.
    private var topic: OpaquePointer?
    private var partition: Int32 = -1

    var source: TopicPartition { run!.source }

    func goesOn(with message: rd_kafka_message_t) -> Bool {
        run != nil && message.partition == partition && message.rkt == topic
    }

    mutating func begin(_ source: TopicPartition, _ message: rd_kafka_message_t, next: Offset?) {
        (topic, partition, self.next) = (message.rkt, message.partition, next)
        run = Chunk(source: source)
    }

    mutating func append(_ record: StoredRecord) {
        run!.records.append(record)
        next = record.offset + 1
        count += 1
        bytes += record.byteCount
    }

    /// The run that ends; nil when there is none.
    mutating func end() -> Chunk? {
        defer { run = nil }
        guard let run, !run.records.isEmpty else { return nil }
        chunks.append(run)
        return run
    }
}
