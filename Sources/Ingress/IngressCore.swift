import EventLog
import Logging
import Metrics
import NIOCore
import Synchronization
import WhatsApp

/// What all connections of a server share.
final class IngressCore: Sendable {
    let configuration: IngressConfiguration
    private let currentRouter: Mutex<Router>
    let producer: any Producer
    let topics: Topics
    let times: Times
    let budget: InFlightBudget
    let metrics: IngressMetrics
    let producerHealth: ProducerHealth
    private let wallClock: @Sendable () -> Timestamp
    private let uptime: @Sendable () -> NIODeadline
    /// A stop has been announced: answers are the last of their connections.
    let isLeaving = Atomic(false)
    private let logger: Logger
    private let failures = Mutex(Failures())
    private let acceptFailures = Mutex(Failures())

    init(
        _ configuration: IngressConfiguration, producer: any Producer, topics: Topics, logger: Logger,
        metrics factory: any MetricsFactory, now: @escaping @Sendable () -> Timestamp,
        clock: @escaping @Sendable () -> NIODeadline
    ) {
        self.configuration = configuration
        self.producer = producer
        self.topics = topics
        times = Times(configuration)
        self.logger = logger
        wallClock = now
        uptime = clock
        currentRouter = Mutex(Router(configuration.channels, topics, maxNesting: configuration.maxNesting))
        budget = InFlightBudget(limit: configuration.maxInFlightBytes, largest: configuration.maxBodyBytes)
        metrics = IngressMetrics(budget: budget, factory: factory)
        producerHealth = ProducerHealth(patience: times.ack)
    }

    func now() -> Timestamp { wallClock() }
    /// What deadlines and durations are measured with.
    func clock() -> NIODeadline { uptime() }

    /// The channels as they are now. A request keeps the route it was admitted with.
    var router: Router { currentRouter.withLock { $0 } }

    /// Puts others in their place, all at once, for the requests that come from now on.
    func replace(_ channels: IngressChannels) throws(IngressConfigurationError) {
        try channels.validate()
        let router = Router(channels, topics, maxNesting: configuration.maxNesting)
        currentRouter.withLock { $0 = router }
    }

    private struct Failures {
        private var count = 0
        private var nextReport = NIODeadline.distantPast

        /// How many there were since the last report, when it is time for another.
        mutating func add(at now: NIODeadline) -> Int? {
            count += 1
            guard nextReport <= now else { return nil }
            nextReport = now + .seconds(10)
            defer { count = 0 }
            return count
        }
    }

    /// The system had nothing left for a connection that wants to be accepted. Reported as rarely.
    func acceptFailed(_ code: CInt) {
        let now = clock()
        guard let report = acceptFailures.withLock({ $0.add(at: now) }) else { return }
        logger.warning(
            "Connections have to wait because the system has no resources for them",
            metadata: ["ingress.failures": "\(report)", "error.errno": "\(code)"])
    }

    /// A delivery that was refused because of the log. Reported at most every ten seconds, with their number: a log
    /// that is down must not fill the disk with words about it.
    func logFailed(_ answer: Answer, _ code: LogError.Code?) {
        let now = clock()
        guard let report = failures.withLock({ $0.add(at: now) }) else { return }
        logger.warning(
            "Deliveries are refused because the log does not take them",
            metadata: [
                "ingress.answer": "\(answer.code)", "ingress.refused": "\(report)",
                "log.error": "\(code?.name ?? "none")",
            ])
    }
}

// What becomes of a delivery. Here and not where it happens: a connection that reaches through the core for each part
// counts a reference for each.
extension IngressCore {
    /// Records of so many bytes are about to be handed to the log. False when there is no room for them.
    func beginStoring(_ bytes: Int, at now: NIODeadline) -> Bool {
        guard budget.reserve(bytes) else { return false }
        metrics.storing(1)
        producerHealth.sent(at: now)
        return true
    }

    /// The log's word on them, on a thread of the log. Answers the time.
    func logAnswered(_ failure: LogError.Code?, _ bytes: Int, sentAt: NIODeadline) -> NIODeadline {
        let now = clock()
        budget.release(bytes)
        metrics.produced(failure, after: now - sentAt)
        // One record that is too large says nothing about the log.
        producerHealth.answered(isFailure: failure != nil && failure != .recordTooLarge, at: now)
        return now
    }

    /// Their connection waits for it no more.
    func endStoring() { metrics.storing(-1) }

    func answered(_ answer: Answer, after time: TimeAmount) { metrics.answered(answer, after: time) }
    func received(_ counts: RecordCounts) { metrics.received(counts) }
}

extension IngressCore {
    /// The configuration's time-outs in the event loop's unit.
    struct Times: Sendable {
        let ack, header, body, idle, linger: TimeAmount
        /// Between the requests of a connection that has shown no credentials.
        let anonymousIdle: TimeAmount
        /// For a connection that is too many, from its begin.
        let turnAway: TimeAmount
        /// How often deadlines are looked at: they are met with a tenth of the shortest to spare, and cost next to
        /// nothing.
        let sweepInterval: TimeAmount

        init(_ configuration: IngressConfiguration) {
            ack = TimeAmount(configuration.ackDeadline)
            header = TimeAmount(configuration.headerTimeout)
            body = TimeAmount(configuration.bodyTimeout)
            idle = TimeAmount(configuration.idleTimeout)
            linger = TimeAmount(configuration.lingerTimeout)
            anonymousIdle = min(header, idle)
            turnAway = min(linger, .seconds(1))
            let shortest = [ack, header, body, idle, linger].reduce(.seconds(1), min)
            sweepInterval = max(.milliseconds(5), .nanoseconds(shortest.nanoseconds / 10))
        }
    }
}
