import CRdKafka
import EventLog
import Logging
import Synchronization

/// A group member's thread: polls librdkafka, and does everything that touches its assignment.
///
/// All stored variables belong to that thread; other threads send it work through `perform`. That is
/// why the object may cross threads.
final class ConsumerLoop: @unchecked Sendable {
    /// Work for the thread; `nil` says that the thread has ended and the work will not be done.
    typealias Work = @Sendable (ConsumerLoop?) -> Void

    let client: RDKafkaClient
    let context: RDKafkaContext
    let buffer: ConsumerBuffer
    let member: ConsumerConfiguration
    let configuration: KafkaLogConfiguration
    let logger: Logger
    /// The consumer's queue: messages and rebalances arrive there, waking it ends a poll.
    let queue: RDKafkaQueue
    /// Where commit results arrive: they are wanted also while messages are not.
    let replies: RDKafkaQueue
    /// Where librdkafka sends what is left to say once the consumer closes.
    private let closeQueue: RDKafkaQueue
    private let mailbox = Mailbox()
    /// What this member owns, for other threads to ask; written by the thread.
    let ownedByMember = Mutex<Set<TopicPartition>>([])

    var assignment = Assignment()
    var reading: [TopicPartition: ReadingPartition] = [:]
    /// Assigned, not yet started, and to be paused then.
    var pausedEarly: Set<TopicPartition> = []
    /// Waiting for their watermarks, to be told of.
    var outOfRange: [TopicPartition] = []
    var bufferFullSince: ContinuousClock.Instant?
    var lending: Lending
    var commits = CommitQueue()
    var commitRetryAt: ContinuousClock.Instant?
    var topics: [OpaquePointer: Topic] = [:]
    var fetchRetryAt: ContinuousClock.Instant?
    private let nudge: FetchNudge
    private var fetchedAhead = DrainWatch()
    private var closeDeadline: ContinuousClock.Instant?
    private var endWaiters: [CheckedContinuation<Void, Never>] = []
    private var isEnded = false

    /// What other threads have sent. Wakes the thread by way of the queue it polls.
    final class Mailbox: Sendable {
        private let work = Mutex<[Work]?>([])

        func put(_ item: @escaping Work) -> Bool {
            work.withLock { work in
                if work == nil { return false }
                work!.append(item)
                return true
            }
        }
        func take() -> [Work] {
            work.withLock { work in
                guard let items = work else { return [] }
                work = []
                return items
            }
        }
        func end() -> [Work] {
            work.withLock { work in
                defer { work = nil }
                return work ?? []
            }
        }
    }

    /// Blocks for a moment: not for the cooperative pool.
    init(member: ConsumerConfiguration, settings: RDKafkaSettings) throws(LogError) {
        self.member = member
        configuration = settings.configuration
        var logger = settings.configuration.logger
        logger[metadataKey: "kafka.group"] = "\(member.group)"
        self.logger = logger
        context = RDKafkaContext(logger: logger)
        let made = try RDKafkaConfiguration(
            settings.consumer(member), properties: configuration.properties, context: context)
        made.callOnRebalance()
        client = try made.makeClient(RD_KAFKA_CONSUMER)
        rd_kafka_poll_set_consumer(client.handle)
        guard let pointer = rd_kafka_queue_get_consumer(client.handle) else {
            throw LogError(.fatal, "consumer has no queue")
        }
        let queue = RDKafkaQueue(pointer, of: client)
        self.queue = queue
        nudge = FetchNudge(client)
        closeQueue = RDKafkaQueue(of: client)
        let replies = RDKafkaQueue(of: client)
        self.replies = replies
        // Polling the one queue ends when something comes to the other.
        rd_kafka_queue_cb_event_enable(
            replies.pointer, { _, queue in rd_kafka_queue_yield(OpaquePointer(queue)) }, UnsafeMutableRawPointer(pointer))
        lending = Lending(client)
        buffer = ConsumerBuffer(maxBytes: member.maxBufferedBytes, maxBatchRecords: member.maxBatchRecords) {
            queue.wake()
            replies.wake()
        }
    }

    /// Subscribes and starts the thread.
    func start() throws(LogError) {
        let list = RDKafkaPartitionList(member.topics.map { TopicPartition($0, RD_KAFKA_PARTITION_UA) })
        let code = rd_kafka_subscribe(client.handle, list.pointer)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw code.error("subscribe") }
        BlockingThread.start("kafka-consumer") { [self] in run() }
    }

    /// Does `body` on the thread. `.closed` once the thread has ended.
    func perform<Value: Sendable>(
        _ body: @escaping @Sendable (ConsumerLoop) throws(LogError) -> Value
    ) async throws(LogError) -> Value {
        try await withCheckedContinuation { (continuation: CheckedContinuation<Result<Value, LogError>, Never>) in
            send { loop in
                continuation.resume(
                    returning: Result { () throws(LogError) in
                        guard let loop else { throw LogError(.closed, "consumer") }
                        return try body(loop)
                    })
            }
        }.get()
    }

    func send(_ work: @escaping Work) {
        guard mailbox.put(work) else { return work(nil) }
        queue.wake()
        replies.wake()
    }

    private func run() {
        while !isEnded {
            for work in mailbox.take() { work(self) }
            serveTimers()
            sendCommits()
            syncFetching()
            if isCloseDone { break }
            let batch = poll()
            if fetchedAhead.isHalfTaken(rd_kafka_queue_length(queue.pointer)) { nudge.send(reading.keys) }
            for notice in context.takeNotices() { handle(notice) }
            // A revocation or a loss among the notices has emptied `reading`: nothing of those partitions goes out.
            buffer.append(batch.filter { reading[$0.source] != nil })
        }
        end()
    }

    /// Waits for a reply or the next message, then takes what is there, up to a batch.
    private func poll() -> [Intake.Chunk] {
        if isResting {
            rd_kafka_queue_poll_callback(replies.pointer, pollMilliseconds)
            return []
        }
        let replied = rd_kafka_queue_poll_callback(replies.pointer, 0) > 0
        var intake = Intake()
        var wait = replied ? 0 : pollMilliseconds
        while let message = rd_kafka_consumer_poll(client.handle, wait) {
            if message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR {
                accept(message, &intake)
            } else {
                handleError(message.pointee)
                rd_kafka_message_destroy(message)
            }
            if isEnded || intake.count >= member.maxBatchRecords || intake.bytes >= 1 << 20 { break }
            wait = 0
        }
        return take(&intake)
    }

    /// Until the next timer; a minute when only messages and wake-ups matter.
    private var pollMilliseconds: Int32 {
        let timers = [assignment.nextTimer, commitRetryAt ?? commits.due, fetchRetryAt, patienceEnd, closeDeadline]
        guard let next = timers.compactMap({ $0 }).min() else { return 60_000 }
        return Int32(max(0, min((next - .now).milliseconds + 1, 60_000)))
    }

    private func serveTimers() {
        let now = ContinuousClock.now
        lookUpCommitsIfDue(now)
        endRevocationIfDue(now)
        if let retryAt = commitRetryAt, retryAt <= now { commitRetryAt = nil }
        if let retryAt = fetchRetryAt, retryAt <= now { fetchRetryAt = nil }
        reportOutOfRange()
    }

    /// An error that leaves the consumer useless: `next()` throws it, the thread ends.
    func fail(_ error: LogError) {
        logger.error("Kafka consumer failed for good", metadata: ["kafka.error": "\(error)"])
        buffer.finish(.failure(error))
        isEnded = true
    }

    private func end() {
        rd_kafka_queue_cb_event_enable(replies.pointer, nil, nil)
        giveUpAssignment()
        failCommits(LogError(.closed, "consumer"))
        buffer.finish(.success(nil))
        for work in mailbox.end() { work(nil) }
        for waiter in endWaiters { waiter.resume() }
    }

    // MARK: Closing

    /// Leaves the group; `waiter` is resumed when the thread has ended, at most the close time-out later.
    func close(_ waiter: CheckedContinuation<Void, Never>) {
        endWaiters.append(waiter)
        if closeDeadline != nil { return }
        closeDeadline = .now + configuration.closeTimeout
        giveUpAssignment()
        if takeError(rd_kafka_consumer_close_queue(client.handle, closeQueue.pointer)) != nil { isEnded = true }
    }

    private var isCloseDone: Bool {
        guard let closeDeadline else { return false }
        return rd_kafka_consumer_closed(client.handle) != 0 || closeDeadline <= .now
    }
}
