import EventLog
import EventLogTesting
import Logging
import Synchronization
import Telemetry
import Testing

import class Foundation.FileManager

@testable import Processing

/// A runtime whose status the test sets.
private final class StillRuntime: ProcessorStatusSource {
    private let current = Mutex(ProcessorStatus())
    var status: ProcessorStatus {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }
}

/// A log whose oldest records retention took.
private struct ShortenedLog: Log, Admin {
    let base: any Log
    let low: Offset

    var producer: any Producer { base.producer }
    var admin: any Admin { self }
    func consumer(_ configuration: ConsumerConfiguration) async throws(LogError) -> any Consumer {
        try await base.consumer(configuration)
    }
    func reader() async throws(LogError) -> any Reader { try await base.reader() }
    func close() async { await base.close() }

    func watermarks(of partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Watermarks] {
        try await base.admin.watermarks(of: partitions).mapValues { Watermarks(low: low, high: $0.high) }
    }
    func createTopics(_ specs: [TopicSpec]) async throws(LogError) { try await base.admin.createTopics(specs) }
    func topics() async throws(LogError) -> [TopicDescription] { try await base.admin.topics() }
    func offsets(at time: Timestamp, of partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Offset] {
        try await base.admin.offsets(at: time, of: partitions)
    }
    func groups() async throws(LogError) -> [GroupDescription] { try await base.admin.groups() }
    func commits(of group: String, in partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Commit] {
        try await base.admin.commits(of: group, in: partitions)
    }
    func setCommits(_ commits: [TopicPartition: Commit], of group: String) async throws(LogError) {
        try await base.admin.setCommits(commits, of: group)
    }
}

@Suite struct WatchTests {
    private let source = TopicPartition("in", 0)
    private let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func watch(
        _ world: World, _ status: any ProcessorStatusSource, _ registry: PrometheusRegistry, state: String? = nil,
        sinceStart: Duration = .seconds(100)
    ) -> ProcessorWatch<ContinuousClock> {
        ProcessorWatch(
            group: World.group, source: status, log: world.log, stateDirectory: state, clock: ContinuousClock(),
            wallTime: { World.start + sinceStart }, factory: registry, logger: silent)
    }

    /// One record a second from `World.start` on.
    private func write(_ world: World, _ count: Int64) async throws {
        try await world.log.produce(
            (0..<count).map {
                Record(topic: "in", key: Array("k".utf8), value: [65], timestamp: World.start + .seconds($0))
            })
    }

    private func lag(_ registry: PrometheusRegistry) -> [Double?] {
        [
            registry.value(of: ProcessorMetric.lagRecords, World.group, "in", "0"),
            registry.value(of: ProcessorMetric.lagSeconds, World.group, "in", "0"),
        ]
    }

    private func started(_ world: World, _ processor: TestProcessor) -> ProcessorRuntime<ContinuousClock> {
        ProcessorRuntime(
            processor: processor, log: world.log, configuration: .init(stateDirectory: world.folder + "/state"),
            clock: ContinuousClock(), wallTime: { World.start }, logger: silent)
    }

    private func ages(_ registry: PrometheusRegistry) -> [Double?] {
        [ProcessorMetric.lagSeconds, .parkedAge, .unfinishedAge].map {
            registry.value(of: $0, World.group, "in", "0")
        }
    }

    @Test func whatIsParkedHasAnAgeOfItsOwn() async throws {
        try await World.with { world in
            let gate = Gate()
            let processor = TestProcessor(work: .concurrent(limit: 4)) { record, _ in
                if record.keyText == "slow" { await gate.pass() }
                throw HandlerFailure.transient("down", "", retryAfter: .seconds(600))
            }
            try await world.log.produce(
                ["bad", "bad", "slow"].enumerated().map { index, key in
                    Record(
                        topic: "in", key: Array(key.utf8), value: [65], timestamp: World.start + .seconds(index * 10))
                })
            let (runtime, registry) = (started(world, processor), PrometheusRegistry())
            let watch = ProcessorWatch(
                group: World.group, source: runtime, log: world.log, stateDirectory: nil, clock: ContinuousClock(),
                wallTime: { World.start + .seconds(100) }, factory: registry, logger: silent)
            let running = Running(runtime, silent)
            try await eventually("two are parked, one is handled") {
                gate.waiting == 1 && runtime.status.partitions[source]?.parked == 2
            }
            await watch.poll()
            #expect(ages(registry) == [80, 100, 100])
            gate.open()
            try await eventually("all are parked") { runtime.status.partitions[source]?.parked == 3 }
            #expect(ages(registry) == [0, 100, 100])
            try await running.stop()
            // A successor knows it of those it has read again.
            let (second, other) = (started(world, processor), PrometheusRegistry())
            let successor = ProcessorWatch(
                group: World.group, source: second, log: world.log, stateDirectory: nil, clock: ContinuousClock(),
                wallTime: { World.start + .seconds(100) }, factory: other, logger: silent)
            let again = Running(second, silent)
            try await eventually("it has them") { second.status.partitions[source]?.parked == 3 }
            await successor.poll()
            #expect(ages(other) == [0, 100, 100])
            try await again.stop()
        }
    }

    @Test func lagIsRightForAProcessorThatReadsNothing() async throws {
        try await World.with { world in
            let (runtime, registry) = (StillRuntime(), PrometheusRegistry())
            let watch = watch(world, runtime, registry)
            runtime.status.partitions[source] = .init(position: 0, next: 0, oldest: nil, parked: 0, restoring: 0)
            await watch.poll()
            #expect(lag(registry) == [0, 0])
            try await write(world, 10)
            await watch.poll()
            #expect(lag(registry) == [10, 100])
            // It stops at the fourth record.
            runtime.status.partitions[source] = .init(position: 3, next: 3, oldest: nil, parked: 1, restoring: 0)
            await watch.poll()
            #expect(lag(registry) == [7, 97])
            #expect(registry.value(of: ProcessorMetric.parked, World.group, "in", "0") == 1)
            // It takes them all before the next poll: the first one now in work is what counts.
            runtime.status.partitions[source] = .init(
                position: 5, next: 10, oldest: World.start + .seconds(5), parked: 0, restoring: 0)
            #expect(lag(registry) == [5, 95])
            // Done.
            runtime.status.partitions[source] = .init(position: 10, next: 10, oldest: nil, parked: 0, restoring: 0)
            #expect(lag(registry) == [0, 0])
        }
    }

    @Test func whatRetentionTookIsNoReasonToLoseTheAgeOfTheRest() async throws {
        try await World.with { world in
            let (runtime, registry) = (StillRuntime(), PrometheusRegistry())
            let log = ShortenedLog(base: world.log, low: 4)
            let watch = ProcessorWatch(
                group: World.group, source: runtime, log: log, stateDirectory: nil, clock: ContinuousClock(),
                wallTime: { World.start + .seconds(100) }, factory: registry, logger: silent)
            try await write(world, 10)
            runtime.status.partitions[source] = .init(position: 2, next: 2, oldest: nil, parked: 0, restoring: 0)
            await watch.poll()
            #expect(lag(registry) == [8, 96])
        }
    }

    @Test func aPartitionThatHasGoneShowsNothingAnyMore() async throws {
        try await World.with { world in
            let (runtime, registry) = (StillRuntime(), PrometheusRegistry())
            let watch = watch(world, runtime, registry, state: world.folder)
            runtime.status.partitions[source] = .init(position: 0, next: 0, oldest: nil, parked: 0, restoring: 0)
            await watch.poll()
            #expect(registry.text().contains("partition=\"0\""))
            runtime.status.partitions = [:]
            #expect(!registry.text().contains("partition=\"0\""))
            #expect(registry.value(of: ProcessorMetric.partitions, World.group, "running") == 0)
        }
    }

    @Test func aLogOutOfReachLeavesWhatIsKnown() async throws {
        let registry = PrometheusRegistry()
        try await World.with { world in
            let runtime = StillRuntime()
            let watch = watch(world, runtime, registry)
            runtime.status.partitions[source] = .init(position: 0, next: 0, oldest: nil, parked: 0, restoring: 0)
            try await write(world, 4)
            await watch.poll()
            await world.log.close()
            await watch.poll()
            #expect(lag(registry) == [4, 100])
        }
    }

    @Test func readinessIsTheAssignmentRestoredAndNothingStuck() async throws {
        try await World.with { world in
            let runtime = StillRuntime()
            let watch = watch(world, runtime, PrometheusRegistry())
            #expect(watch.readiness == .notReady("joining"))
            runtime.status.isMember = true
            #expect(watch.readiness == .ready, "a standby without partitions")
            runtime.status.isOpening = true
            #expect(watch.readiness == .notReady("restoring"))
            runtime.status.isOpening = false
            runtime.status.partitions[source] = .init(position: 0, next: 0, oldest: nil, parked: 0, restoring: 9)
            #expect(watch.readiness == .notReady("restoring"))
            runtime.status.partitions[source]?.restoring = 0
            #expect(watch.readiness == .ready)
            runtime.status.stuck = [source]
            #expect(watch.readiness == .notReady("stuck"))
            runtime.status.stuck = []
            runtime.status.isUndurable = true
            #expect(watch.readiness == .notReady("cannot store"))
        }
    }

    /// A log or a disk that takes nothing for seconds: whoever watches learns it, and when it is over.
    @Test func whatDoesNotBecomeDurableIsTold() async throws {
        try await World.with { world in
            let faulty = FaultyLog(world.log, plan: .none)
            let runtime = ProcessorRuntime(
                processor: TestProcessor { record, _ in [record.copy()] }, log: faulty,
                configuration: ProcessorRuntimeConfiguration(stateDirectory: world.folder + "/state"),
                clock: ContinuousClock(), wallTime: { World.start }, logger: silent)
            let running = Running(runtime, silent)
            try await eventually("it works") { !runtime.status.partitions.isEmpty }
            #expect(!runtime.status.isUndurable)
            try await write(world, 1)
            try await world.waitUntilDone()
            faulty.breakDown()
            try await write(world, 1)
            try await eventually("it is told") { runtime.status.isUndurable }
            faulty.repair()
            try await eventually("it is over") { !runtime.status.isUndurable }
            try await running.stop()
        }
    }

    /// A runtime with its metrics, as a program has them.
    private func start(
        _ world: World, _ registry: PrometheusRegistry, _ processor: TestProcessor
    ) -> (Running, ProcessorRuntime<ContinuousClock>) {
        let runtime = ProcessorRuntime(
            processor: processor, log: world.log,
            configuration: ProcessorRuntimeConfiguration(stateDirectory: world.folder + "/state"),
            clock: ContinuousClock(), wallTime: { World.start },
            observer: ProcessorMetrics(group: World.group, inputs: ["in"], factory: registry), logger: silent)
        return (Running(runtime, silent), runtime)
    }

    @Test func whileAHandlerHangsTheLagIsThatOfItsRecord() async throws {
        try await World.with { world in
            let (registry, gate) = (PrometheusRegistry(), Gate())
            try await write(world, 3)
            let (running, runtime) = start(world, registry, TestProcessor { _, _ in
                await gate.pass()
                return []
            })
            let watch = watch(world, runtime, registry)
            try await eventually("the first is being handled") { gate.waiting == 1 }
            await watch.poll()
            #expect(lag(registry) == [3, 100])
            #expect(watch.readiness == .ready)
            gate.open()
            try await world.waitUntilDone()
            #expect(lag(registry) == [0, 0])
            try await running.stop()
        }
    }

    @Test func whatHappensIsCountedByOutcome() async throws {
        try await World.with { world in
            let registry = PrometheusRegistry()
            try await world.write((0..<10).map { ("k\($0)", "\($0)") })
            let (running, _) = start(world, registry, TestProcessor { record, context in
                if record.valueText == "3" { throw HandlerFailure.permanent("bad", "") }
                if record.valueText == "5", context.attempt == 1 { throw HandlerFailure.transient("once", "") }
                return [record.copy()]
            })
            try await world.waitUntilDone()
            try await running.stop()
            func handled(_ outcome: String) -> Double? {
                registry.value(of: ProcessorMetric.handled, World.group, "in", outcome)
            }
            #expect([handled("done"), handled("failed"), handled("dead")] == [9, 2, 1])
            #expect(registry.value(of: ProcessorMetric.consumed, World.group, "in") == 10)
            #expect(registry.value(of: ProcessorMetric.produced, World.group) == 10)
            #expect(registry.value(of: ProcessorMetric.handlingDuration, World.group, "done") == 9)
            #expect(registry.value(of: ProcessorMetric.handlingDuration, World.group, "failed") == 2)
        }
    }

    @Test func effectsOfUnknownOutcomeAreCountedOnce() async throws {
        try await World.with { world in
            let registry = PrometheusRegistry()
            try await world.write([("k", "sure"), ("l", "unsure")])
            var processor = TestProcessor { record, context in
                if context.attempt == 3 { return [record.copy()] }
                if context.effect == .none { try await context.beginEffect() }
                throw HandlerFailure.transient("down", "", effect: record.valueText == "sure" ? .none : .unknown)
            }
            processor.effects = .marked
            let (running, _) = start(world, registry, processor)
            try await world.waitUntilDone()
            try await running.stop()
            #expect(registry.value(of: ProcessorMetric.effectsUnknown, World.group, "in") == 1)
        }
    }

    @Test func aRestoreIsSeenFromItsBeginToItsEnd() async throws {
        try await World.with { world in
            var processor = TestProcessor { record, context in
                try await context.state.set(record.keyText, to: [1], expires: nil)
                return []
            }
            processor.state = .rebuiltFromInputs
            try await write(world, 20)
            let (first, _) = start(world, PrometheusRegistry(), processor)
            try await world.waitUntilDone()
            try await first.stop()
            try FileManager.default.removeItem(atPath: world.folder + "/state")
            let (registry, gate) = (PrometheusRegistry(), Gate())
            processor.handler = { record, context in
                await gate.pass()
                try await context.state.set(record.keyText, to: [1], expires: nil)
                return []
            }
            let (second, runtime) = start(world, registry, processor)
            let watch = watch(world, runtime, registry, state: world.folder + "/state")
            try await eventually("the rebuild has begun") { gate.waiting == 1 }
            #expect(registry.value(of: ProcessorMetric.restoring, World.group, "in", "0") == 20)
            #expect(registry.value(of: ProcessorMetric.partitions, World.group, "restoring") == 1)
            #expect(watch.readiness == .notReady("restoring"))
            gate.open()
            try await eventually("the rebuild is over") { watch.readiness == .ready }
            #expect(registry.value(of: ProcessorMetric.restoring, World.group, "in", "0") == 0)
            #expect(registry.value(of: ProcessorMetric.partitions, World.group, "running") == 1)
            #expect(registry.value(of: ProcessorMetric.stateBytes, World.group, "0") ?? 0 > 4_096)
            try await second.stop()
        }
    }
}
