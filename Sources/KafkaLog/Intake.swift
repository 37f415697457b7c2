import CRdKafka
import EventLog

/// What one round of polling takes: the library hands out long runs of one partition, and to look after the run costs less
/// than to look after each record.
struct Intake {
    struct Chunk {
        let source: TopicPartition
        var records: [StoredRecord] = []
        /// What the records count against the buffer's bound, see `cost`.
        var bytes = 0

        /// Bytes of the record, and about what a record itself takes: small ones count too.
        static func cost(_ record: StoredRecord) -> Int { record.byteCount + 200 }
    }

    /// Ended runs, never empty.
    private(set) var chunks: [Chunk] = []
    private(set) var count = 0
    private(set) var bytes = 0
    /// Offset from which on the run's records are wanted; nil when none is.
    private(set) var next: Offset?
    private var run: Chunk?
    /// For the run's messages to stay where they are; nil: they are copied.
    private var loan: Loan?
    /// The library's name of the run's partition.
    private var topic: OpaquePointer?
    private var partition: Int32 = -1

    func goesOn(with message: rd_kafka_message_t) -> Bool {
        run != nil && message.partition == partition && message.rkt == topic
    }

    mutating func begin(_ source: TopicPartition, _ message: rd_kafka_message_t, next: Offset?, loan: Loan?) {
        (topic, partition, self.next, self.loan) = (message.rkt, message.partition, next, loan)
        run = Chunk(source: source)
    }

    /// Takes the message over.
    mutating func append(_ message: UnsafeMutablePointer<rd_kafka_message_t>) {
        let record = RDKafkaRecord.take(message, of: run!.source, on: loan)
        let cost = Chunk.cost(record)
        run!.records.append(record)
        run!.bytes += cost
        next = record.offset + 1
        count += 1
        bytes += cost
    }

    /// The run that ends; nil when there is none.
    mutating func end() -> Chunk? {
        defer { run = nil }
        guard let run, !run.records.isEmpty else { return nil }
        chunks.append(run)
        return run
    }
}
