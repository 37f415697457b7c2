import CRdKafka
import Dispatch
import EventLog
import Synchronization

/// Reads one partition, on a serial queue of its own.
///
/// librdkafka's simple consumer serves: no group, and a queue per partition which it bounds itself. The partition
/// stays started between reads, so that reading on is cheap, and is stopped when nobody reads for a while.
/// All variables belong to `queue`; that is why the object may cross threads.
final class PartitionReader: @unchecked Sendable {
    private let partition: TopicPartition
    private let client: RDKafkaClient
    private let topic: OpaquePointer
    private let requestTimeout: Duration
    private let isClosed = Atomic(false)
    private let messages: RDKafkaQueue?
    /// Reads that do not wait and have not had their turn: one that waits gives way to them.
    private let hurried = Atomic(0)
    private let queue = DispatchQueue(label: "kafka-reader")

    /// Offset that the next message will have, or more; nil while stopped.
    private var next: Offset?
    private var lastRead = ContinuousClock.now
    private var isStopPlanned = false
    private static let idleTime = Duration.seconds(10)
    /// How long a read that has records waits for more that the broker is known to hold.
    private static let followTime = Duration.milliseconds(500)

    init(_ partition: TopicPartition, client: RDKafkaClient, requestTimeout: Duration) throws(LogError) {
        guard let topic = rd_kafka_topic_new(client.handle, partition.topic.name, nil) else {
            throw LogError(.invalidTopic, partition.topic.name)
        }
        self.partition = partition
        self.client = client
        self.topic = topic
        self.requestTimeout = requestTimeout
        messages = rd_kafka_queue_get_partition(client.handle, partition.topic.name, partition.partition)
            .map { RDKafkaQueue($0, of: client) }
    }

    deinit { rd_kafka_topic_destroy(topic) }

    /// Ends a read that is waiting, and refuses further ones.
    func close() async {
        isClosed.store(true, ordering: .sequentiallyConsistent)
        messages?.wake()
        await queue.blocking { [self] in stop() }
    }

    /// See `Reader.read`. Reads take turns.
    func read(
        from offset: Offset, maxRecords: Int, waitingUpTo wait: Duration
    ) async throws(LogError) -> [StoredRecord] {
        let deadline = ContinuousClock.now + wait
        let isHurried = wait <= .zero
        while true {
            if isHurried {
                hurried.add(1, ordering: .sequentiallyConsistent)
                messages?.wake()
            }
            let found = try await queue.blocking { [self] () throws(LogError) in
                if isHurried { hurried.subtract(1, ordering: .sequentiallyConsistent) }
                return try read(from: offset, maxRecords: maxRecords, deadline: deadline)
            }
            if let found { return found }
        }
    }

    /// On `queue`. Nil when it has given way at the end of the partition: to be called again.
    private func read(
        from offset: Offset, maxRecords: Int, deadline: ContinuousClock.Instant
    ) throws(LogError) -> [StoredRecord]? {
        if isClosed.load(ordering: .sequentiallyConsistent) { throw LogError(.closed, "reader") }
        lastRead = .now
        defer { planStop() }
        if next != offset { stop() }
        var records: [StoredRecord] = []
        if next == offset { try take(into: &records, upTo: maxRecords, until: .now) }
        if !records.isEmpty { return records }

        let held = try watermarks()
        guard (held.low...held.high).contains(offset) else {
            stop()
            throw LogError(.offsetOutOfRange, "\(partition): \(offset) is not in \(held.low)...\(held.high)")
        }
        let isAtEnd = offset == held.high
        if isAtEnd, deadline <= .now { return [] }
        try startIfNeeded(at: offset)
        // A record is there: give the brokers time to send it. At the end: the caller's time.
        let until = isAtEnd ? deadline : max(deadline, .now + requestTimeout)
        try take(into: &records, upTo: maxRecords, until: until, givingWay: isAtEnd)
        if records.isEmpty, isAtEnd, isHurryWaiting { return nil }
        if records.isEmpty, !isAtEnd, next ?? held.low < held.high, !isClosed.load(ordering: .relaxed) {
            throw LogError(.unavailable, "\(partition): no answer from the brokers")
        }
        return records
    }

    /// Waits until `until` for a first record, then takes what is known to follow.
    private func take(
        into records: inout [StoredRecord], upTo maxRecords: Int, until: ContinuousClock.Instant,
        givingWay: Bool = false
    ) throws(LogError) {
        while records.count < maxRecords, !isClosed.load(ordering: .sequentiallyConsistent) {
            if givingWay, records.isEmpty, isHurryWaiting { return }
            let patience = records.isEmpty ? until - .now : mayFollow ? Self.followTime : .zero
            let wait = Int32(max(0, min(patience.milliseconds, 60_000)))
            guard let message = rd_kafka_consume(topic, partition.partition, wait) else {
                if !records.isEmpty || until <= .now { return }
                continue
            }
            defer { rd_kafka_message_destroy(message) }
            switch message.pointee.err {
            case RD_KAFKA_RESP_ERR_NO_ERROR:
                guard let expected = next, message.pointee.offset >= expected else { continue }
                next = message.pointee.offset + 1
                records.append(RDKafkaRecord.stored(message, of: partition))
            case RD_KAFKA_RESP_ERR__PARTITION_EOF:
                // Offsets up to here may hold no records: compacted away, or a transaction's marker.
                next = max(next ?? 0, message.pointee.offset)
                if !records.isEmpty || until <= .now { return }
            case let code where code.logCode == .unavailable: continue
            case let code:
                stop()
                if records.isEmpty { throw code.error("\(partition)") }
                return
            }
        }
    }

    private var isHurryWaiting: Bool { hurried.load(ordering: .sequentiallyConsistent) > 0 }

    /// Whether the last fetch saw records beyond the one taken.
    private var mayFollow: Bool {
        var held = Watermarks(low: -1, high: -1)
        rd_kafka_get_watermark_offsets(
            client.handle, partition.topic.name, partition.partition, &held.low, &held.high)
        return next ?? 0 < held.high
    }

    private func watermarks() throws(LogError) -> Watermarks {
        guard let held = try client.watermarks(of: [partition], within: requestTimeout)[partition] else {
            throw LogError(.unknownTopic, "\(partition)")
        }
        return held
    }

    private func startIfNeeded(at offset: Offset) throws(LogError) {
        if next == offset { return }
        stop()
        if rd_kafka_consume_start(topic, partition.partition, offset) != 0 {
            throw rd_kafka_last_error().error("\(partition)")
        }
        next = offset
    }

    private func stop() {
        if next == nil { return }
        rd_kafka_consume_stop(topic, partition.partition)
        next = nil
    }

    private func planStop() {
        if isStopPlanned || next == nil { return }
        isStopPlanned = true
        queue.asyncAfter(deadline: .now() + .milliseconds(Int(Self.idleTime.milliseconds))) { [weak self] in
            guard let self else { return }
            isStopPlanned = false
            if lastRead + Self.idleTime <= .now { stop() } else { planStop() }
        }
    }
}
