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
        static func cost(_ byteCount: Int) -> Int { byteCount + 200 }
    }

    /// Ended runs, never empty.
    private(set) var chunks: [Chunk] = []
    private(set) var count = 0
    private(set) var bytes = 0
    /// Offset from which on the run's records are wanted; nil when none is.
    private(set) var next: Offset?
    private var source: TopicPartition?
    private var run: [UnsafeMutablePointer<rd_kafka_message_t>] = []
    private var runBytes = 0
    /// For the run's messages to stay where they are; nil: they are copied.
    private var loan: Loan?
    /// The library's name of the run's partition.
    private var topic: OpaquePointer?
    private var partition: Int32 = -1

    func goesOn(with message: UnsafeMutablePointer<rd_kafka_message_t>) -> Bool {
        message.pointee.partition == partition && message.pointee.rkt == topic
    }

    mutating func begin(
        _ source: TopicPartition, _ message: UnsafeMutablePointer<rd_kafka_message_t>, next: Offset?, loan: Loan?
    ) {
        (topic, partition) = (message.pointee.rkt, message.pointee.partition)
        (self.source, self.next, self.loan) = (source, next, loan)
    }

    /// Takes the message over.
    mutating func append(_ message: UnsafeMutablePointer<rd_kafka_message_t>) {
        let cost = Chunk.cost(RDKafkaRecord.byteCount(of: message))
        run.append(message)
        runBytes += cost
        next = message.pointee.offset + 1
        count += 1
        bytes += cost
    }

    /// The run that ends; nil when it has no records.
    mutating func end() -> Chunk? {
        defer { (topic, partition, source, loan, runBytes) = (nil, -1, nil, nil, 0) }
        guard let source, !run.isEmpty else { return nil }
        let chunk = Chunk(source: source, records: RDKafkaRecord.take(run, of: source, on: loan), bytes: runBytes)
        run.removeAll(keepingCapacity: true)
        chunks.append(chunk)
        return chunk
    }
}
