import EventLog
import Logging
import ServiceLifecycle
import Synchronization

/// Runs a processor on a log: joins its group, hands records to its handler, and makes what comes of it durable.
///
/// Partition `n` of all inputs is one *lane*; lanes work side by side and commit on their own. Promises:
///
/// - **At least once.** Progress is committed after outputs and state are durable. A crash repeats what came after.
/// - **Order per (topic, key)**, also across failures: later records of a failed one's key wait behind it.
/// - **A failure is not an outage.** A record that fails for a passing reason is parked and tried again by
///   `Processor.retry`; others go on. Attempts and age are kept in the commit's note and survive a take-over; where
///   it has no room for them, the record's own time bounds its age. Given up, or failed for good, it goes to `dlq.<group>` with its cause.
/// - **Bounded.** Records and bytes per lane, parked records per partition: full means the partition pauses.
///
/// `run()` ends within `drainTimeout` and `lastCommitTimeout` of a graceful shutdown; when it is cancelled it leaves at
/// once, without a commit. It throws when the log fails for good, or when it is not set up for this processor.
public final class ProcessorRuntime<C: Clock>: Service where C.Duration == Duration {
    let log: any Log
    let context: RuntimeContext<C>
    let session = Mutex(RuntimeSession<C>())
    let openings = Openings<C>()

    /// - Parameters:
    ///   - clock: for waiting: retries, limits, backoff.
    ///   - wallTime: what is compared with records' time stamps and given to handlers as `now`.
    public init(
        processor: some Processor, log: any Log, configuration: ProcessorRuntimeConfiguration, clock: C,
        wallTime: @escaping @Sendable () -> Timestamp, observer: any ProcessorObserver = NoObserver(), logger: Logger
    ) {
        self.log = log
        var logger = logger
        let group = configuration.group(of: processor)
        // A replay is not its group, and must not look like it.
        logger[metadataKey: LogKey.group] = configuration.mode == .live ? "\(group)" : "replay of \(group)"
        context = RuntimeContext(
            processor: processor, configuration: configuration, clock: clock, wallTime: wallTime, observer: observer,
            logger: logger)
    }

    public func run() async throws {
        let broadcasts = BroadcastFollower(context: context, log: log)
        guard let reader = try await beforeJoining({ try await self.openReader() }) else { return }
        defer { if let reader { Task { await reader.close() } } }
        guard let positions = try await beforeJoining({
            if let reader { try await broadcasts.catchUp(reader) } else { [TopicPartition: Offset]() }
        }) else { return }
        guard let consumer = try await join() else { return }
        session.withLock { $0.joined = context.clock.now }
        let result: Result<Void, any Error>
        do { result = .success(try await work(consumer, broadcasts, reader, positions)) } catch { result = .failure(error) }
        await openings.stop()
        if let failure = session.withLock(\.failure) { throw failure }
        try result.get()
    }

    private func work(
        _ consumer: any Consumer, _ broadcasts: BroadcastFollower<C>, _ reader: (any Reader)?,
        _ positions: [TopicPartition: Offset]
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            if let reader { group.addTask { try await broadcasts.follow(positions, reader) } }
            group.addTask { try await self.follow(consumer) }
            group.addTask { await self.leaveWhenAsked(consumer) }
            if let topic = context.configuration.controlTopic { group.addTask { try await self.obey(topic) } }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Tries until the log answers; nil when the process is told to stop before that.
    private func join() async throws -> (any Consumer)? {
        try await beforeJoining {
            try await self.context.persist(at: "topics") { try await self.checkTopics() }
            return try await self.context.persist(at: "join") { try await self.log.consumer(self.membership) }
        }
    }

    /// Carries out what operators order about parked records of our lanes, until the runtime ends.
    private func obey(_ topic: Topic) async throws {
        await ControlFollower(log: log, topic: topic, logger: context.logger, wallTime: context.wallTime) { order in
            guard order.group == self.context.group else { return nil }
            return self.lane(of: order.source)?.carryOut(order)
        }.run()
        // Only cancellation ends it; ending without an error would end the runtime.
        throw CancellationError()
    }

    /// Nil when the process is told to stop meanwhile.
    private func beforeJoining<T: Sendable>(_ body: @Sendable @escaping () async throws -> T) async throws -> T? {
        do {
            return try await cancelWhenGracefulShutdown { try await body() }
        } catch is CancellationError {
            return nil
        }
    }

    /// For the broadcast inputs; nil when there are none.
    private func openReader() async throws -> (any Reader)? {
        if context.processor.broadcastInputs.isEmpty { return nil }
        return try await context.persist(at: "broadcast") { try await log.reader() }
    }

    private var membership: ConsumerConfiguration {
        ConsumerConfiguration(
            group: context.group, topics: context.processor.subscription,
            sessionTimeout: context.configuration.sessionTimeout, instanceID: context.configuration.instanceID)
    }

    private func checkTopics() async throws {
        let topics = try await log.admin.topics()
        let partitions = Dictionary(uniqueKeysWithValues: topics.map { ($0.topic, $0.partitions) })
        let processor = context.processor
        if processor.effects == .marked, processor.state == .rebuiltFromInputs {
            throw LogError(.invalidConfiguration, "\(processor.name) has effects: its state cannot be rebuilt by handling")
        }
        let state = processor.state.survives && context.configuration.mode == .live ? [context.stateTopic] : []
        for topic in processor.subscription + [context.deadLetterTopic] + state where partitions[topic] == nil {
            throw LogError(.unknownTopic, topic.name)
        }
        if Set((processor.subscription + state).map { partitions[$0] }).count > 1 {
            throw LogError(.topicMismatch, "inputs and state of \(processor.name) differ in their number of partitions")
        }
        let count = processor.subscription.first.flatMap { partitions[$0] } ?? 0
        session.withLock { $0.partitions = count }
    }
}

extension ProcessorRuntime: ProcessorStatusSource {
    public var status: ProcessorStatus {
        var status = ProcessorStatus()
        let now = context.clock.now
        // With more members than partitions some get none; they stand by.
        let patience = context.configuration.sessionTimeout + context.configuration.sessionTimeout
        let lanes = session.withLock { session in
            status.isMember = session.wasAssigned || session.joined.map { $0.duration(to: now) > patience } ?? false
            status.stuck = session.stuck
            return Array(session.lanes.values)
        }
        status.isOpening = !openings.isEmpty
        status.isUndurable = context.trouble.isThere
        status.restores = openings.restores
        for lane in lanes { status.partitions.merge(lane.standings) { _, new in new } }
        return status
    }
}

extension ProcessorRuntime where C == ContinuousClock {
    /// A runtime on the machine's clocks.
    public convenience init(
        processor: some Processor, log: any Log, configuration: ProcessorRuntimeConfiguration,
        observer: any ProcessorObserver = NoObserver(), logger: Logger
    ) {
        self.init(
            processor: processor, log: log, configuration: configuration, clock: ContinuousClock(),
            wallTime: { .now }, observer: observer, logger: logger)
    }
}

/// A runtime on the machine's clocks, to be run.
///
/// Not the generic one itself, on purpose: what this calls the compiler makes for these clocks. Called from another
/// module, the generic code would ask for types and their functions at each step, at several times the cost.
public struct ProcessorService: Service {
    private let runtime: ProcessorRuntime<ContinuousClock>

    public init(_ runtime: ProcessorRuntime<ContinuousClock>) { self.runtime = runtime }

    public func run() async throws { try await runtime.run() }
}
