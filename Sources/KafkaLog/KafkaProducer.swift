import CRdKafka
import Dispatch
import EventLog
import Logging
import Synchronization

/// The producer: bounded, idempotent, and the same object across librdkafka's fatal errors.
///
/// A fatal error (librdkafka: INTRODUCTION.md, "Fatal producer errors") ends a session. What is not acknowledged then
/// fails with `.notDurable`, and a new session takes its place.
///
/// Reports are drained by a thread of its own, or by whoever has set a bell.
final class KafkaProducer: DrainableProducer {
    private enum State {
        case open(ProducerSession)
        /// By `closeDeadline`.
        case closing(ProducerSession)
        case closed

        var session: ProducerSession? {
            switch self {
            case .open(let session), .closing(let session): session
            case .closed: nil
            }
        }
        var isClosing: Bool { if case .closing = self { true } else { false } }
    }

    private let settings: RDKafkaSettings
    private let logger: Logger
    private let bound: QueueBound
    private let state: Mutex<State>
    private let bell = ReportBell()
    /// What the report thread waits for while somebody else drains.
    private let chores = DispatchSemaphore(value: 0)
    /// Sends that failed before the library saw them: they too are completed by the report thread.
    private let refused = Mutex<[PendingSend]>([])
    /// Calls of `send` under way: the report thread does not end before they have handed over or refused.
    private let senders = Atomic(0)
    private let closeWaiters = Mutex<[CheckedContinuation<Void, Never>]>([])
    /// Set before the state says `closing`. Not part of it: `send` copies the state, and an instant would make that
    /// several times as expensive.
    private let closeDeadline = Mutex<ContinuousClock.Instant?>(nil)

    /// Blocks for a moment: not for the cooperative pool.
    init(settings: RDKafkaSettings) throws(LogError) {
        self.settings = settings
        logger = settings.configuration.logger
        bound = QueueBound(
            maxRecords: settings.configuration.maxQueuedRecords, maxBytes: settings.configuration.maxQueuedBytes)
        let session = try ProducerSession(settings: settings, logger: logger, bell: bell)
        state = Mutex(.open(session))
        BlockingThread.start("kafka-reports") { [self] in drain(session) }
    }

    func send(_ records: [Record], completion: @escaping @Sendable (Result<[RecordPosition], LogError>) -> Void) {
        send(records, .positions(completion))
    }

    func write(_ records: [Record], completion: @escaping @Sendable (LogError?) -> Void) {
        send(records, .word(completion))
    }

    private func send(_ records: [Record], _ completion: PendingSend.Completion) {
        senders.add(1, ordering: .sequentiallyConsistent)
        defer { senders.subtract(1, ordering: .sequentiallyConsistent) }
        // By index, here and below: a copy of a record costs four references.
        var byteCount = 0
        var tooLarge: Int?
        for index in records.indices {
            let size = records[index].byteCount
            byteCount += size
            if size > settings.maxRecordBytes, tooLarge == nil { tooLarge = index }
        }
        let send = PendingSend(records, byteCount: byteCount, completion)
        guard case .open(let session) = state.withLock({ $0 }) else {
            send.fail(LogError(.closed, "producer"))
            return send.finish()
        }
        if let large = tooLarge.map({ records[$0] }) {
            return refuse(send, LogError(.recordTooLarge, "\(large.topic): \(large.byteCount) bytes"))
        }
        if let unnamed = session.findTopics(for: send) {
            return refuse(send, LogError(.invalidTopic, unnamed.name))
        }
        guard bound.reserve(records: records.count, bytes: byteCount) else {
            return refuse(send, LogError(.queueFull, "producer"))
        }
        if session.handOver(send) {
            bound.release(records: records.count, bytes: byteCount)
            answerSoon(send)
        }
    }

    /// Waits, at most for the configured time, until all records are acknowledged; the others fail.
    func close() async {
        let deadline = ContinuousClock.now + settings.configuration.closeTimeout
        await withCheckedContinuation { continuation in
            closeWaiters.withLock { $0.append(continuation) }
            closeDeadline.withLock { if $0 == nil { $0 = deadline } }
            let session = state.withLock { state -> ProducerSession? in
                if case .open(let session) = state { state = .closing(session) }
                return state.session
            }
            if let session { wakeThread(session) } else { resumeCloseWaiters() }
        }
    }

    func setBell(_ ring: (@Sendable () -> Void)?) {
        bell.set(ring)
        if let session = state.withLock(\.session) { wakeThread(session) }
        // For what came before there was a bell.
        bell.ring()
    }

    func drain() {
        guard let session = state.withLock(\.session) else { return }
        var finished: [PendingSend]
        repeat {
            finished = session.drainReports(waitMilliseconds: 0)
            complete(finished)
        } while finished.count >= ProducerSession.maxFinished
        if session.client.isDead { chores.signal() }
    }

    /// Whatever the report thread waits for.
    private func wakeThread(_ session: ProducerSession) {
        chores.signal()
        session.reports.wake()
    }

    private func refuse(_ send: PendingSend, _ error: LogError) {
        send.fail(error)
        answerSoon(send)
    }

    private func answerSoon(_ send: PendingSend) {
        refused.withLock { $0.append(send) }
        state.withLock(\.session)?.reports.wake()
    }

    private func resumeCloseWaiters() {
        let waiters = closeWaiters.withLock { waiters in
            defer { waiters = [] }
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}

/// The report thread: blocked in librdkafka's queue until there is something to tell, or, while somebody else drains it,
/// until there is something to do about the session.
extension KafkaProducer {
    private func drain(_ first: ProducerSession) {
        var session = first
        var born = ContinuousClock.now
        while true {
            if bell.isHeard {
                chores.wait()
            } else {
                complete(session.drainReports(waitMilliseconds: waitMilliseconds))
            }
            if state.withLock(\.isClosing) { return end(session, by: closeDeadline.withLock { $0 } ?? .now) }
            if let fatal = session.client.fatalError {
                logger.error(
                    "Kafka producer failed for good, starting a new one",
                    metadata: ["kafka.error": "\(fatal.code.name)", "kafka.text": "\(fatal.reason)"])
                guard let next = replace(session, notBefore: born + .seconds(1)) else { continue }
                session = next
                born = ContinuousClock.now
                // Whoever was refused just before the change has woken the dead session.
                complete([])
            }
        }
    }

    /// A minute when nothing but reports, refusals, errors and `close` matter: each of them ends the wait.
    private var waitMilliseconds: Int32 {
        state.withLock(\.isClosing) ? 0 : 60_000
    }

    private func complete(_ finished: [PendingSend]) {
        let refused = refused.withLock { refused in
            defer { refused = [] }
            return refused
        }
        for send in refused { send.finish() }
        for send in finished {
            bound.release(records: send.records.count, bytes: send.byteCount)
            send.finish()
        }
    }

    /// Fails what the dead session holds, then puts a new one in its place; nil when `close` came first.
    /// `notBefore` spaces the attempts when every new session fails at once, e.g. for want of a permission.
    private func replace(_ dead: ProducerSession, notBefore: ContinuousClock.Instant) -> ProducerSession? {
        dead.purge()
        while dead.outstanding > 0 || ContinuousClock.now < notBefore {
            complete(dead.drainReports(waitMilliseconds: 100))
            if state.withLock(\.isClosing) { return nil }
        }
        do {
            let next = try ProducerSession(settings: settings, logger: logger, bell: bell)
            let isOpen = state.withLock { state in
                guard case .open = state else { return false }
                state = .open(next)
                return true
            }
            return isOpen ? next : nil
        } catch {
            logger.error("Kafka producer cannot be started", metadata: ["kafka.error": "\(error)"])
            return nil
        }
    }

    /// Flushes until `deadline`, answers `close`, and goes on until the last report is in: no send stays unanswered.
    private func end(_ session: ProducerSession, by deadline: ContinuousClock.Instant) {
        while session.outstanding > 0 {
            let left = (deadline - .now).milliseconds
            if left <= 0 { break }
            complete(session.drainReports(waitMilliseconds: Int32(min(left, 60_000))))
        }
        state.withLock { $0 = .closed }
        repeat {
            // Again each time: a call of `send` that began before may hand over after.
            session.purge()
            complete(session.drainReports(waitMilliseconds: 100))
            if ContinuousClock.now >= deadline { resumeCloseWaiters() }
        } while session.outstanding > 0 || senders.load(ordering: .sequentiallyConsistent) > 0
        complete([])
        resumeCloseWaiters()
    }
}
