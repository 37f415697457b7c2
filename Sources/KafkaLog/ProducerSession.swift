import CRdKafka
import EventLog
import Logging
import Synchronization

/// One librdkafka producer, from its making to a fatal error or `close`.
///
/// Any thread hands records over and drains reports. All of it may run together: librdkafka locks for itself, our own state
/// is behind mutexes.
final class ProducerSession: @unchecked Sendable {
    static let maxFinished = 1_000

    let client: RDKafkaClient
    /// Where reports arrive. Waking it ends a drain.
    let reports: RDKafkaQueue
    private let bell: Unmanaged<ReportBell>
    private let context: RDKafkaContext
    /// Nothing is handed over any more.
    private let isPurged = Atomic(false)
    private let topics = Mutex(Topics())
    /// Finished while somebody handed over; the next drain answers them.
    private let late = Mutex<[PendingSend]>([])

    private struct Topics {
        /// A producer knows a dozen topics, most of whose names are the same text again: comparing is less than hashing.
        var names: [Topic] = []
        var handles: [TopicHandle] = []
    }

    /// Blocks for a moment: not for the cooperative pool.
    init(settings: RDKafkaSettings, logger: Logger, bell: ReportBell) throws(LogError) {
        context = RDKafkaContext(logger: logger)
        let configuration = try RDKafkaConfiguration(
            settings.producer, properties: settings.configuration.properties, context: context)
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
            for handle in topics.handles { rd_kafka_topic_destroy(handle.pointer) }
        }
    }

    /// Finds the handles of a send's topics, before any of its records is handed over. Answers the topic that cannot have
    /// one, because no log would take its name.
    func findTopics(for send: PendingSend) -> Topic? {
        topics.withLock { topics in
            for index in send.records.indices {
                guard let handle = handle(of: send.records[index].topic, in: &topics) else {
                    return send.records[index].topic
                }
                PendingSend.slot(send.opaque(of: index)).pointee.handle = handle
            }
            return nil
        }
    }

    /// Hands over all records, their topics found, or up to the first that the library refuses: then the send fails as a
    /// whole, and what was handed over before may still become durable. Records that the library could not send now are
    /// held (`PartitionGate`). Does not block. True when the caller must `finish()` the send.
    func handOver(_ send: PendingSend) -> Bool {
        send.records.withUnsafeBufferPointer { records in
            for index in records.indices {
                // By address: a copy of a record costs four references.
                let record = records.baseAddress! + index
                let slot = PendingSend.slot(send.opaque(of: index))
                guard let handle = slot.pointee.handle else {
                    preconditionFailure("topics are found before records are handed over")
                }
                if let gate = handle.gate(of: record) {
                    slot.pointee.gate = gate
                    guard handle.withGate(gate, { $0.admit(send, at: index) }) else { continue }
                }
                if let refusal = produce(record, to: handle, of: send, at: index) {
                    send.fail(refusal)
                    passOnLater(behind: slot)
                    return send.settle(records.count - index + 1)
                }
            }
            return send.settle()
        }
    }

    private func produce(
        _ record: UnsafePointer<Record>, to handle: TopicHandle, of send: PendingSend, at index: Int
    ) -> LogError? {
        if isPurged.load(ordering: .relaxed) { return failure(RD_KAFKA_RESP_ERR__PURGE_QUEUE, of: handle) }
        return RDKafkaRecord.produce(record, to: handle.pointer, with: client, opaque: send.opaque(of: index))
            .map { $0.produceError("record for \(handle.topic) refused") }
    }

    /// A record is settled: hands over those that waited for it. Sends that end with that are added to `finished`.
    private func passOn(behind slot: UnsafeMutablePointer<PendingSend.Slot>, into finished: inout [PendingSend]) {
        guard let gate = slot.pointee.gate, let handle = slot.pointee.handle else { return }
        handle.withGate(gate) { gate in
            var next = gate.settle()[...]
            while let held = next.popFirst() {
                let refusal = held.send.records.withUnsafeBufferPointer { records in
                    produce(records.baseAddress! + held.index, to: handle, of: held.send, at: held.index)
                }
                guard let refusal else { continue }
                next += gate.settle()
                held.send.fail(refusal)
                if held.send.settle() { finished.append(held.send) }
            }
        }
    }

    /// The same where nobody asks for finished sends: the next drain answers them.
    private func passOnLater(behind slot: UnsafeMutablePointer<PendingSend.Slot>) {
        var finished: [PendingSend] = []
        passOn(behind: slot, into: &finished)
        if finished.isEmpty { return }
        late.withLock { $0 += finished }
        reports.wake()
    }

    /// Waits for reports, takes what is there (as far as `maxFinished` allows), and answers the sends that are finished
    /// now, in order.
    func drainReports(waitMilliseconds: Int32) -> [PendingSend] {
        var finished = late.withLock { late in
            defer { late = [] }
            return late
        }
        if isPurged.load(ordering: .relaxed) { failHeld(into: &finished) }
        var wait = finished.isEmpty ? waitMilliseconds : 0
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

    /// Records that the library has, and that are not reported.
    var handedOver: Int { Int(rd_kafka_outq_len(client.handle)) }

    /// The same, and those that are held.
    var outstanding: Int {
        handedOver + topics.withLock { $0.handles.reduce(0) { $0 + $1.heldCount } }
    }

    /// Gives up what is not acknowledged: reports follow.
    func purge() {
        isPurged.store(true, ordering: .relaxed)
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
        passOn(behind: slot, into: &finished)
        if send.settle() { finished.append(send) }
    }

    private func failHeld(into finished: inout [PendingSend]) {
        for handle in topics.withLock(\.handles) {
            for held in handle.takeHeld() {
                held.send.fail(failure(RD_KAFKA_RESP_ERR__PURGE_QUEUE, of: handle))
                if held.send.settle() { finished.append(held.send) }
            }
        }
    }

    /// A topic that has taken records does not vanish: "unknown" from a broker that is starting up passes.
    private func failure(_ code: rd_kafka_resp_err_t, of handle: TopicHandle) -> LogError {
        let error = code.produceError("record for \(handle.topic) not durable")
        return handle.isKnown && error.code == .unknownTopic ? LogError(.notDurable, error.detail) : error
    }

    private func handle(of topic: Topic, in topics: inout Topics) -> TopicHandle? {
        if let known = topics.names.firstIndex(of: topic) { return topics.handles[known] }
        guard topic.isValid, let handle = TopicHandle(topic, client, keptBy: context) else { return nil }
        topics.names.append(topic)
        topics.handles.append(handle)
        return handle
    }
}
