import CRdKafka
import EventLog
import Logging
import Synchronization

/// One librdkafka producer, from its making to a fatal error or `close`.
///
/// Any thread hands records over and drains reports. All of it may run together: librdkafka locks for itself, our own
/// state is behind the mutex.
final class ProducerSession: @unchecked Sendable {
    /// A topic handle, and whether the topic has ever taken a record.
    ///
    /// Freed with the session; the pointer may be used from any thread, librdkafka locks for itself.
    final class TopicHandle: @unchecked Sendable {
        let topic: Topic
        let pointer: OpaquePointer
        private let hasTaken = Atomic(false)

        init(_ topic: Topic, _ pointer: OpaquePointer) {
            self.topic = topic
            self.pointer = pointer
        }

        var isKnown: Bool { hasTaken.load(ordering: .relaxed) }
        func markKnown() {
            if !isKnown { hasTaken.store(true, ordering: .relaxed) }
        }
    }

    static let maxFinished = 1_000

    let client: RDKafkaClient
    /// Where reports arrive. Waking it ends a drain.
    let reports: RDKafkaQueue
    private let bell: Unmanaged<ReportBell>
    private let topics = Mutex(Topics())

    private struct Topics {
        var handles: [Topic: TopicHandle] = [:]
        /// The one found last: most records go where the one before went.
        var last: TopicHandle?
    }

    /// Blocks for a moment: not for the cooperative pool.
    init(settings: RDKafkaSettings, logger: Logger, bell: ReportBell) throws(LogError) {
        let configuration = try RDKafkaConfiguration(
            settings.producer, properties: settings.configuration.properties, context: RDKafkaContext(logger: logger))
        configuration.reportDeliveriesAsEvents()
        client = try RDKafkaThreads.yieldingToWakers { () throws(LogError) in
            try configuration.makeClient(RD_KAFKA_PRODUCER)
        }
        reports = RDKafkaQueue(rd_kafka_queue_get_main(client.handle), of: client)
        self.bell = Unmanaged.passRetained(bell)
        rd_kafka_queue_cb_event_enable(reports.pointer, { _, bell in ReportBell.ring(bell) }, self.bell.toOpaque())
    }

    deinit {
        // The queue's lock is held while it rings, so nothing rings any more afterwards.
        rd_kafka_queue_cb_event_enable(reports.pointer, nil, nil)
        bell.release()
        topics.withLock { topics in
            for handle in topics.handles.values { rd_kafka_topic_destroy(handle.pointer) }
        }
    }

    /// Finds the handles of a send's topics, before any of its records is handed over. Answers the topic that cannot have
    /// one, because no log would take its name.
    func findTopics(of records: [Record], for send: PendingSend) -> Topic? {
        topics.withLock { topics in
            for index in records.indices {
                guard let handle = Self.handle(of: records[index].topic, in: &topics, client) else {
                    return records[index].topic
                }
                PendingSend.slot(send.opaque(of: index)).pointee.handle = handle
            }
            return nil
        }
    }

    /// Hands over all records, their topics found, or up to the first that the library refuses: then the send fails as a
    /// whole, and what was handed over before may still become durable. Does not block. True when the caller must
    /// `finish()` the send.
    func hand(over records: [Record], of send: PendingSend) -> Bool {
        records.withUnsafeBufferPointer { records in
            for index in records.indices {
                let opaque = send.opaque(of: index)
                guard let handle = PendingSend.slot(opaque).pointee.handle else {
                    preconditionFailure("topics are found before records are handed over")
                }
                // By address: a copy of a record costs four references.
                let record = records.baseAddress! + index
                if let refusal = RDKafkaRecord.produce(record, to: handle.pointer, with: client, opaque: opaque) {
                    send.fail(refusal.produceError("record for \(handle.topic) refused"))
                    return send.settle(records.count - index + 1)
                }
            }
            return send.settle()
        }
    }

    /// Waits for reports, takes what is there (as far as `maxFinished` allows), and answers the sends that are finished
    /// now, in order.
    func drainReports(waitMilliseconds: Int32) -> [PendingSend] {
        var finished: [PendingSend] = []
        var wait = waitMilliseconds
        while let event = rd_kafka_queue_poll(reports.pointer, wait) {
            if rd_kafka_event_type(event) == RD_KAFKA_EVENT_DR {
                while let message = rd_kafka_event_message_next(event) { settle(message.pointee, into: &finished) }
            }
            rd_kafka_event_destroy(event)
            if finished.count >= Self.maxFinished { break }
            wait = 0
        }
        return finished
    }

    /// Records handed over and not yet reported.
    var outstanding: Int { Int(rd_kafka_outq_len(client.handle)) }

    /// Gives up what is not acknowledged: reports follow.
    func purge() {
        let all = RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT
        rd_kafka_purge(client.handle, all | RD_KAFKA_PURGE_F_NON_BLOCKING)
    }

    private func settle(_ message: rd_kafka_message_t, into finished: inout [PendingSend]) {
        let slot = PendingSend.slot(message._private)
        let send = slot.pointee.send
        if message.err == RD_KAFKA_RESP_ERR_NO_ERROR {
            slot.pointee.partition = message.partition
            slot.pointee.offset = message.offset
            slot.pointee.handle?.markKnown()
        } else {
            if let handle = slot.pointee.handle { send.fail(failure(message.err, of: handle)) }
        }
        if send.settle() { finished.append(send) }
    }

    /// A topic that has taken records does not vanish: "unknown" from a broker that is starting up passes.
    private func failure(_ code: rd_kafka_resp_err_t, of handle: TopicHandle) -> LogError {
        let error = code.produceError("record for \(handle.topic) not durable")
        return handle.isKnown && error.code == .unknownTopic ? LogError(.notDurable, error.detail) : error
    }

    private static func handle(
        of topic: Topic, in topics: inout Topics, _ client: RDKafkaClient
    ) -> TopicHandle? {
        if let last = topics.last, last.topic == topic { return last }
        if let known = topics.handles[topic] {
            topics.last = known
            return known
        }
        guard topic.isValid, let made = rd_kafka_topic_new(client.handle, topic.name, nil) else { return nil }
        let handle = TopicHandle(topic, made)
        topics.handles[topic] = handle
        return handle
    }
}
