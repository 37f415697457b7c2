import CRdKafka
import EventLog
import Logging

/// Where each partition reads, and whether it does.
///
/// librdkafka is told three things only: assign all with offsets, pause, and seek-then-resume. Every resume names
/// the offset to go on from, because 2.0.2 goes on from positions of its own after pause and seek; and a record
/// below the offset expected is stale and dropped.
///
/// A pause makes librdkafka drop what it has fetched, and a resume makes it fetch that again. Under load lanes are full for
/// milliseconds at a time, and so is the buffer; for so short a time nothing is fetched less: a paused partition's records
/// wait in the buffer, and when that is full, librdkafka's wait in its queue.
extension ConsumerLoop {
    /// Partitions that have gone meanwhile are left alone here and below: the event that says so is on its way.
    func start(at positions: [TopicPartition: Offset]) throws(LogError) {
        guard assignment.phase == .offered else { return }
        guard assignment.owned.isSubset(of: positions.keys) else {
            throw LogError(.invalidConfiguration, "start must name every partition assigned")
        }
        reading = positions.filter { assignment.owned.contains($0.key) }.mapValues { ReadingPartition(next: $0) }
        for partition in pausedEarly { reading[partition]?.pausedSince = .now - Self.pausePatience }
        pausedEarly = []
        assignment.phase = .started
        assignAll()
    }

    /// How long a pause, or a full buffer, may last before librdkafka is told.
    static var pausePatience: Duration { .milliseconds(250) }

    func setPaused(_ partitions: [TopicPartition], _ isPaused: Bool) {
        let owned = partitions.filter(assignment.owned.contains)
        buffer.setPaused(owned, isPaused)
        for partition in owned {
            if let known = reading[partition] {
                reading[partition]!.pausedSince = isPaused ? known.pausedSince ?? .now : nil
            } else if isPaused {
                pausedEarly.insert(partition)
            } else {
                pausedEarly.remove(partition)
            }
        }
    }

    func seek(_ partition: TopicPartition, to offset: Offset) throws(LogError) {
        guard reading[partition] != nil else {
            throw LogError(.fenced, "\(partition) is not read by this member")
        }
        buffer.discard([partition])
        move(partition, to: offset)
    }

    private func move(_ partition: TopicPartition, to offset: Offset) {
        reading[partition]!.next = offset
        reading[partition]!.isOutOfRange = false
        reading[partition]!.needsSeek = true
        outOfRange.removeAll { $0 == partition }
    }

    // MARK: Telling librdkafka

    /// Brings librdkafka to what `reading` wants. Called before every poll, so that no record from before a seek or
    /// a pause is taken after it.
    func syncFetching() {
        noteFullness()
        guard assignment.phase == .started else { return }
        let now = ContinuousClock.now
        dropPaused(now)
        let wanted = reading.filter { shouldFetch($0.value, now) }
        let stopping = reading.filter { $0.value.isFetching && ($0.value.needsSeek || wanted[$0.key] == nil) }
        pause(stopping.map(\.key))
        let starting = wanted.filter { reading[$0.key]?.isFetching == false }
        if starting.isEmpty || fetchRetryAt != nil { return }
        if starting.values.contains(where: \.isStranded) { return assignAll() }
        resume(starting.mapValues(\.next))
    }

    private func noteFullness() {
        let isFull = bufferFullSince == nil ? buffer.isFull : !buffer.hasRoom
        bufferFullSince = isFull ? bufferFullSince ?? .now : nil
    }

    /// A partition that waits for longer must not take the others' room: what is held of it is fetched again.
    private func dropPaused(_ now: ContinuousClock.Instant) {
        for (partition, state) in reading where state.isFetching && isOver(state.pausedSince, now) {
            if let first = buffer.discardRecords(of: partition) { move(partition, to: first) }
        }
    }

    private func isOver(_ since: ContinuousClock.Instant?, _ now: ContinuousClock.Instant) -> Bool {
        since.map { $0 + Self.pausePatience <= now } ?? false
    }

    private func shouldFetch(_ partition: ReadingPartition, _ now: ContinuousClock.Instant) -> Bool {
        !partition.isOutOfRange && !isOver(partition.pausedSince, now) && !isOver(bufferFullSince, now)
    }

    /// Whether what librdkafka has fetched is to stay there for a moment.
    var isResting: Bool { bufferFullSince != nil && reading.values.contains(where: \.isFetching) }

    /// When patience ends next.
    var patienceEnd: ContinuousClock.Instant? {
        let waiting = reading.values.lazy.filter(\.isFetching)
        return (waiting.compactMap(\.pausedSince) + [bufferFullSince].compactMap { $0 }).min().map { $0 + Self.pausePatience }
    }

    /// Assigns every started partition at its `next`. All are fetched anew.
    private func assignAll() {
        // A pause outlives the assignment it was made in, and only the start that follows wakes the broker thread.
        let list = RDKafkaPartitionList(reading.keys)
        rd_kafka_resume_partitions(client.handle, list.pointer)
        assign(reading.mapValues(\.next))
        for partition in reading.keys {
            reading[partition]!.isStranded = reading[partition]!.isOutOfRange
            reading[partition]!.needsSeek = false
            reading[partition]!.isFetching = true
        }
        let now = ContinuousClock.now
        pause(reading.filter { !shouldFetch($0.value, now) }.map(\.key))
    }

    func assign(_ offsets: [TopicPartition: Offset]) {
        let list = RDKafkaPartitionList(at: offsets)
        let code = rd_kafka_assign(client.handle, list.pointer)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR {
            logger.warning("partitions could not be assigned", metadata: ["kafka.error": "\(code.name)"])
        }
    }

    private func pause(_ partitions: [TopicPartition]) {
        if partitions.isEmpty { return }
        let list = RDKafkaPartitionList(partitions)
        rd_kafka_pause_partitions(client.handle, list.pointer)
        for partition in partitions { reading[partition]!.isFetching = false }
    }

    /// Resumes, then seeks: only a seek wakes the library's broker thread, which otherwise goes on when it next looks.
    /// What it fetched in between is of an older version, which the library drops.
    private func resume(_ offsets: [TopicPartition: Offset]) {
        let list = RDKafkaPartitionList(at: offsets)
        rd_kafka_resume_partitions(client.handle, list.pointer)
        _ = takeError(rd_kafka_seek_partitions(client.handle, list.pointer, 5_000))
        var failed: [TopicPartition] = []
        list.forEach { element in
            let partition = element.topicPartition
            let isDone = element.err == RD_KAFKA_RESP_ERR_NO_ERROR
            if isDone { reading[partition]!.needsSeek = false } else { failed.append(partition) }
            reading[partition]!.isFetching = true
        }
        if failed.isEmpty { return }
        // These are between two assignments inside librdkafka: soon again, and nothing from elsewhere until then.
        pause(failed)
        fetchRetryAt = .now + .milliseconds(50)
    }

    // MARK: What librdkafka tells

    /// Takes the record of a message unless it is stale. The message is the record's, or given back.
    func accept(_ message: UnsafeMutablePointer<rd_kafka_message_t>, _ intake: inout Intake) {
        if !intake.goesOn(with: message) {
            close(&intake)
            let source = source(of: message.pointee)
            intake.begin(source, message, next: reading[source]?.next, loan: lending.begin(source))
        }
        guard let expected = intake.next, message.pointee.offset >= expected else {
            return rd_kafka_message_destroy(message)
        }
        intake.append(message)
    }

    /// All that was taken. What is read next of each partition is known from here on.
    func take(_ intake: inout Intake) -> [Intake.Chunk] {
        close(&intake)
        return intake.chunks
    }

    private func close(_ intake: inout Intake) {
        guard let chunk = intake.end(), let last = chunk.records.last else { return }
        reading[chunk.source]?.next = last.offset + 1
        lending.note(taken: chunk.bytes)
    }

    private func source(of message: rd_kafka_message_t) -> TopicPartition {
        if let topic = topics[message.rkt] { return TopicPartition(topic, message.partition) }
        let topic = Topic(String(cString: rd_kafka_topic_name(message.rkt)))
        topics[message.rkt] = topic
        return TopicPartition(topic, message.partition)
    }

    func handleError(_ message: rd_kafka_message_t) {
        switch message.err {
        case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET where message.rkt != nil:
            let partition = source(of: message)
            guard reading[partition]?.isOutOfRange == false else { return }
            reading[partition]!.isOutOfRange = true
            reading[partition]!.isStranded = true
            reading[partition]!.isFetching = false
            outOfRange.append(partition)
        case RD_KAFKA_RESP_ERR__FATAL:
            let fatal = client.fatalError
            fail(LogError(.fatal, "consumer: \(fatal?.code.name ?? message.err.name)"))
        default:
            // librdkafka tries again by itself; what it cannot get over is for an operator to see.
            logger.info("Kafka consumer error", metadata: ["kafka.error": "\(message.err.name)"])
        }
    }

    /// Tells of partitions that do not hold the offset wanted, once their watermarks are known.
    func reportOutOfRange() {
        guard fetchRetryAt == nil else { return }
        for partition in outOfRange {
            guard let requested = reading[partition]?.next else { continue }
            guard let held = try? client.watermarks(of: [partition], within: .seconds(2))[partition] else {
                fetchRetryAt = .now + .milliseconds(200)
                return
            }
            outOfRange.removeAll { $0 == partition }
            if held.low <= requested, requested <= held.high {
                // A replica that had not caught up said so; the leader does hold the offset.
                reading[partition]!.isOutOfRange = false
                fetchRetryAt = .now + .milliseconds(200)
            } else {
                let event = ConsumerEvent.outOfRange(partition, requested: requested, held: held)
                buffer.postOutOfRange(partition, event)
            }
        }
    }
}
