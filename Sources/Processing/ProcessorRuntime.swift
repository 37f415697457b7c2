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
    private struct Session {
        var lanes: [Int32: Lane<C>] = [:]
        /// Of each input.
        var partitions: Int32 = 0
        /// Being given up after a revocation.
        var leaving: [Lane<C>] = []
        var isStopping = false
        /// When the group had us as a member first.
        var joined: C.Instant?
        var wasAssigned = false
        var stuck: Set<TopicPartition> = []
        var failure: (any Error)?
    }

    private let log: any Log
    private let context: RuntimeContext<C>
    private let session = Mutex(Session())
    private let openings = Openings<C>()

    /// - Parameters:
    ///   - clock: for waiting: retries, limits, backoff.
    ///   - wallTime: what is compared with records' time stamps and given to handlers as `now`.
    public init(
        processor: some Processor, log: any Log, configuration: ProcessorRuntimeConfiguration, clock: C,
        wallTime: @escaping @Sendable () -> Timestamp, observer: any ProcessorObserver = NoObserver(), logger: Logger
    ) {
        self.log = log
        var logger = logger
        logger[metadataKey: LogKey.group] = "\(configuration.group(of: processor))"
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

    // MARK: Membership

    /// Follows the consumer until it is closed.
    private func follow(_ consumer: any Consumer) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            while let event = try await consumer.next() {
                switch event {
                case .assigned(let assignment): begin(assignment, consumer)
                case .records(let source, let records): await lane(of: source)?.receive(source, records)
                case .revoked(let sources):
                    // Beside the loop: lanes that stay must not wait for those that go.
                    let lanes = take(sources)
                    session.withLock { $0.leaving += lanes }
                    group.addTask { await self.giveUp(lanes, sources, consumer) }
                case .lost(let sources):
                    session.withLock { $0.stuck.subtract(sources) }
                    for lane in take(sources) + leaving(sources) { lane.drop() }
                    for source in sources { context.observer.released(source) }
                    group.addTask { for lane in await self.interrupt(sources, consumer) { lane.drop() } }
                case .outOfRange(let source, let requested, let held):
                    await goOn(source, from: requested, held, consumer)
                }
            }
        }
    }

    private func begin(_ assignment: [TopicPartition: Commit?], _ consumer: any Consumer) {
        let isStopping = session.withLock { session in
            session.wasAssigned = true
            return session.isStopping
        }
        if assignment.isEmpty || isStopping { return }
        openings.begin(assignment) { await self.open($0, consumer) }
    }

    /// Nil when the partitions are not ours any more, or all ends.
    private func open(_ assignment: [TopicPartition: Commit?], _ consumer: any Consumer) async -> [Lane<C>]? {
        let opening = LaneOpening(context: context, log: log, consumer: consumer, tellRestore: openings.note) { error in
            self.fail(error, consumer)
        }
        do {
            let (lanes, positions) = try await opening.open(assignment)
            // Opening took time: whoever stops meanwhile has not seen these lanes.
            let replaced: [Lane<C>]? = session.withLock { session in
                if session.isStopping || Task.isCancelled { return nil }
                let replaced = lanes.compactMap { session.lanes.updateValue($0, forKey: $0.partition) }
                tellPartitions(session)
                return replaced
            }
            guard let replaced else { return nil }
            for lane in replaced { lane.drop() }
            // First what was parked: it is older than anything the consumer will bring.
            for lane in lanes { lane.begin() }
            try await consumer.start(at: positions)
            return lanes
        } catch {
            for lane in take(Array(assignment.keys)) { lane.drop() }
            // Not ours any more, or we are leaving: the next event says so.
            let isLeaving = Task.isCancelled || (error as? LogError)?.code == .closed
            if !isLeaving, !CommitCycle<C>.meansOthersOwn(error) { fail(error, consumer) }
            return nil
        }
    }

    /// Nobody opens these partitions from here on. Answers lanes that were made in the last moment.
    private func interrupt(_ sources: [TopicPartition], _ consumer: any Consumer) async -> [Lane<C>] {
        let (lanes, rest) = await openings.interrupt(sources)
        session.withLock { session in
            for lane in lanes where session.lanes[lane.partition] === lane { session.lanes[lane.partition] = nil }
            tellPartitions(session)
        }
        begin(rest, consumer)
        return lanes
    }

    private func giveUp(_ lanes: [Lane<C>], _ sources: [TopicPartition], _ consumer: any Consumer) async {
        await drain(lanes)
        await drain(interrupt(sources, consumer))
        session.withLock { session in
            session.leaving.removeAll { lane in lanes.contains { $0 === lane } }
            session.stuck.subtract(sources)
        }
        do {
            try await consumer.release(sources)
        } catch {
            context.logger.info("partitions were gone before their release", metadata: [LogKey.error: "\(error)"])
        }
        for source in sources { context.observer.released(source) }
    }

    /// The log does not hold the offset. Where retention was faster than we, go on with what is left; else something
    /// is wrong that a person must look at, and the partition stands still.
    private func goOn(
        _ source: TopicPartition, from requested: Offset, _ held: Watermarks, _ consumer: any Consumer
    ) async {
        var metadata = LogKey.of(source)
        metadata[LogKey.offset] = "\(requested)"
        metadata[LogKey.count] = "\(abs(held.low - requested))"
        do {
            guard requested < held.low else {
                throw LogError(.offsetOutOfRange, "the log ends at \(held.high), the group stands beyond it")
            }
            context.logger.error("retention removed records before they were handled", metadata: metadata)
            try await consumer.seek(source, to: held.low)
        } catch {
            metadata[LogKey.error] = "\(error)"
            context.logger.error("partition stands still", metadata: metadata)
            session.withLock { _ = $0.stuck.insert(source) }
            context.observer.stuck(source)
        }
    }

    // MARK: Leaving

    private func leaveWhenAsked(_ consumer: any Consumer) async {
        do {
            try await gracefulShutdown()
            let lanes = takeAll()
            await openings.stop()
            await drain(lanes)
        } catch {
            openings.cancel()
            for lane in takeAll() { lane.drop() }
        }
        await consumer.close()
    }

    private func drain(_ lanes: [Lane<C>]) async {
        await withDiscardingTaskGroup { group in
            for lane in lanes { group.addTask { await lane.drain() } }
        }
    }

    /// A lane cannot go on for a reason that concerns all: leave, and let `run` throw.
    private func fail(_ error: any Error, _ consumer: any Consumer) {
        let lanes = session.withLock { session in
            session.failure = session.failure ?? error
            session.isStopping = true
            return Array(session.lanes.values)
        }
        openings.cancel()
        for lane in lanes { lane.drop() }
        Task { await consumer.close() }
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

    private func lane(of source: TopicPartition) -> Lane<C>? {
        session.withLock { $0.lanes[source.partition] }
    }

    private func take(_ sources: [TopicPartition]) -> [Lane<C>] {
        session.withLock { session in
            defer { tellPartitions(session) }
            return Set(sources.map(\.partition)).compactMap { session.lanes.removeValue(forKey: $0) }
        }
    }

    /// Under the session's lock, so that the processor hears of changes in their order.
    private func tellPartitions(_ session: borrowing Session) {
        context.processor.partitionsChanged(Set(session.lanes.keys), of: session.partitions)
    }

    private func leaving(_ sources: [TopicPartition]) -> [Lane<C>] {
        session.withLock { $0.leaving.filter { !Set($0.sources).isDisjoint(with: sources) } }
    }

    private func takeAll() -> [Lane<C>] {
        session.withLock { session in
            session.isStopping = true
            let lanes = Array(session.lanes.values) + session.leaving
            session.lanes = [:]
            tellPartitions(session)
            return lanes
        }
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
            wallTime: Timestamp.wallClock, observer: observer, logger: logger)
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
