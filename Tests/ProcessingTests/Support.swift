import EventLog
import EventLogTesting
import Logging
import SQLiteLog
import ServiceLifecycle
import Synchronization
import Testing

import class Foundation.FileManager
import struct Foundation.UUID

@testable import Processing

/// Runs `body` with a folder of its own.
func withFolder<T>(_ body: (String) async throws -> T) async throws -> T {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent("processing-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    return try await body(folder)
}

/// Waits until `condition` holds; the deadline only bounds a test that fails.
func eventually(
    _ what: Comment, within limit: Duration = .seconds(60), at location: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(5))
    }
    Issue.record(what, sourceLocation: location)
    throw Overdue()
}
struct Overdue: Error {}

/// A processor whose parts are closures.
struct TestProcessor: Processor {
    var name = "test"
    var inputs: [Topic] = ["in"]
    var work = WorkMode.ordered
    var retry = RetryPolicy(base: .milliseconds(10), cap: .milliseconds(50))
    var state = StateMode.none
    var stateLimits = StateLimits()
    var effects = EffectMode.none
    var sideInputs: [Topic] = []
    var broadcastInputs: [BroadcastInput] = []
    var atSide: @Sendable (StoredRecord, HandlerContext) async throws -> SideAnswer = { _, _ in SideAnswer() }
    var atPartitions: @Sendable (Set<Int32>, Int32) -> Void = { _, _ in }
    var atBroadcast: @Sendable (StoredRecord) async throws -> Void = { _ in }
    var scopeOf: @Sendable (StoredRecord) -> String? = { _ in nil }
    var deadlineOf: @Sendable (StoredRecord) -> Timestamp? = { _ in nil }
    var atEnd: @Sendable ([StoredRecord], HandlerContext) async throws -> [Record] = { _, _ in [] }
    var atDeath: @Sendable (StoredRecord, HandlerFailure) -> [Record] = { _, _ in [] }
    var handler: @Sendable (StoredRecord, HandlerContext) async throws -> [Record]

    func handle(_ record: StoredRecord, _ context: HandlerContext) async throws -> [Record] {
        try await handler(record, context)
    }
    func handleSide(_ record: StoredRecord, _ context: HandlerContext) async throws -> SideAnswer {
        try await atSide(record, context)
    }
    func outageScope(of record: StoredRecord) -> String? { scopeOf(record) }
    func deadline(of record: StoredRecord) -> Timestamp? { deadlineOf(record) }
    func receiveBroadcast(_ record: StoredRecord) async throws { try await atBroadcast(record) }
    func partitionsChanged(_ owned: Set<Int32>, of total: Int32) { atPartitions(owned, total) }
    func endBatch(_ records: [StoredRecord], _ context: HandlerContext) async throws -> [Record] {
        try await atEnd(records, context)
    }
    func deadLettered(_ record: StoredRecord, _ failure: HandlerFailure, _ context: HandlerContext) async -> [Record] {
        atDeath(record, failure)
    }
}

/// What handlers saw, in order.
final class Journal: Sendable {
    private let seen = Mutex<[String]>([])

    @discardableResult
    func note(_ record: StoredRecord) -> Int { note(record.text) }
    /// Answers how often `text` was noted, this time included.
    @discardableResult
    func note(_ text: String) -> Int {
        seen.withLock { seen in
            seen.append(text)
            return seen.count { $0 == text }
        }
    }
    var all: [String] { seen.withLock { $0 } }
    func count(_ text: String) -> Int { seen.withLock { $0.count { $0 == text } } }
    /// First appearances only.
    var distinct: [String] {
        var met: Set<String> = []
        return all.filter { met.insert($0).inserted }
    }
}

/// A door that handlers wait at.
final class Gate: Sendable {
    private struct State {
        var isOpen = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }
    private let state = Mutex(State())

    func pass() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }
    func open() {
        let waiters = state.withLock { state in
            state.isOpen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
    var waiting: Int { state.withLock(\.waiters.count) }
}

extension StoredRecord {
    /// Key and value, as `key:value`.
    var text: String { keyText + ":" + valueText }
    var keyText: String { key.map { String(decoding: $0, as: UTF8.self) } ?? "-" }
    var valueText: String { value.map { String(decoding: $0, as: UTF8.self) } ?? "-" }
    /// The same for another topic.
    func copy(to topic: Topic = "out") -> Record { Record(topic: topic, key: key, value: value) }
}

/// An embedded log in a folder of its own, with topics `in`, `in2`, `out` and the dead letters of `test`.
struct World: Sendable {
    let log: SQLiteLog
    let folder: String
    static let group = "millrace.test"
    static let state: Topic = "state.millrace.test"
    static let letters: Topic = "dlq.millrace.test"
    static let start = Timestamp(seconds: 1_700_000_000)

    static func with<T>(partitions: Int32 = 1, _ body: (World) async throws -> T) async throws -> T {
        try await withFolder { folder in
            let world = World(log: try await open(folder), folder: folder)
            let topics: [Topic] = ["in", "in2", "out", letters]
            try await world.log.admin.createTopics(
                topics.map {
                    TopicSpec($0, partitions: partitions, retention: .delete(days: 1), maxRecordBytes: 10_000)
                })
            try await world.log.admin.createTopics([TopicSpec(state, partitions: partitions, retention: .compact)])
            var births: [TopicPartition: Commit] = [:]
            for topic in topics { for n in 0..<partitions { births[TopicPartition(topic, n)] = Commit(offset: 0) } }
            try await world.log.admin.setCommits(births, of: group)
            let result: Result<T, any Error>
            do { result = .success(try await body(world)) } catch { result = .failure(error) }
            await world.log.close()
            return try result.get()
        }
    }

    /// Another process's view of the same log.
    static func open(_ folder: String) async throws -> SQLiteLog {
        var configuration = SQLiteLogConfiguration()
        configuration.synchronous = .normal
        configuration.lease = .seconds(1)
        configuration.now = { World.start }
        return try await SQLiteLog.open(path: folder + "/events.db", configuration: configuration)
    }

    func write(_ records: [(key: String?, value: String)], to topic: Topic = "in") async throws {
        try await log.produce(
            records.map { Record(topic: topic, key: $0.key.map { Array($0.utf8) }, value: Array($0.value.utf8)) })
    }

    /// Everything in a topic, partition by partition.
    func read(_ topic: Topic) async throws -> [StoredRecord] {
        let reader = try await log.reader()
        var records: [StoredRecord] = []
        for partition in try await log.admin.partitions(of: topic) {
            var at: Offset = 0
            while let last = try await {
                let found = try await reader.read(partition, from: at, maxRecords: 1_000, waitingUpTo: .zero)
                records += found
                return found.last
            }() { at = last.offset + 1 }
        }
        await reader.close()
        return records
    }

    /// Where the group stands, without how often what it parked has failed.
    func progress(_ topic: Topic = "in", _ partition: Int32 = 0) async throws -> Progress {
        var progress = try await wholeProgress(topic, partition)
        (progress.tries, progress.triesAreComplete) = ([:], true)
        return progress
    }

    func wholeProgress(_ topic: Topic = "in", _ partition: Int32 = 0) async throws -> Progress {
        let source = TopicPartition(topic, partition)
        return Progress(try await log.admin.commits(of: Self.group, in: [source])[source] ?? Commit(offset: -1))
    }

    /// Waits until the group has nothing left to do in `topic`.
    func waitUntilDone(_ topic: Topic = "in") async throws {
        try await eventually("\(topic) is worked off") {
            let partitions = try await log.admin.partitions(of: topic)
            let commits = try await log.admin.commits(of: Self.group, in: partitions)
            let marks = try await log.admin.watermarks(of: partitions)
            return marks.allSatisfy { commits[$0.key] == Commit(offset: $0.value.high) }
        }
    }

    /// A runtime on real clocks.
    func start(
        _ processor: TestProcessor, on log: (any Log)? = nil, observer: any ProcessorObserver = NoObserver(),
        _ configure: (inout ProcessorRuntimeConfiguration) -> Void = { _ in }
    ) -> Running {
        start(
            processor, on: log, observer: observer, clock: ContinuousClock(), wallTime: { World.start }, configure)
    }

    /// A runtime on a clock that the test moves.
    func start(
        _ processor: TestProcessor, on log: (any Log)? = nil, clock: ManualClock,
        _ configure: (inout ProcessorRuntimeConfiguration) -> Void = { _ in }
    ) -> Running {
        start(
            processor, on: log, observer: NoObserver(), clock: clock,
            wallTime: { World.start + clock.now.sinceStart }, configure)
    }

    private func start<C: Clock>(
        _ processor: TestProcessor, on log: (any Log)?, observer: any ProcessorObserver, clock: C,
        wallTime: @escaping @Sendable () -> Timestamp,
        _ configure: (inout ProcessorRuntimeConfiguration) -> Void
    ) -> Running where C.Duration == Duration {
        var configuration = ProcessorRuntimeConfiguration(stateDirectory: folder + "/state")
        configure(&configuration)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return Running(
            ProcessorRuntime(
                processor: processor, log: log ?? self.log, configuration: configuration, clock: clock,
                wallTime: wallTime, observer: observer, logger: logger), logger)
    }
}

/// A runtime in a service group, as a process has it.
struct Running: Sendable {
    private let group: ServiceGroup
    private let task: Task<Void, any Error>

    init(_ service: any Service, _ logger: Logger) {
        let group = ServiceGroup(services: [service], logger: logger)
        self.group = group
        task = Task { try await group.run() }
    }

    /// Stops gracefully.
    func stop() async throws {
        await group.triggerGracefulShutdown()
        try await task.value
    }

    /// Stops at once, without a commit.
    func kill() async {
        task.cancel()
        _ = await task.result
    }

    /// Waits for the end; throws what the runtime throws.
    func end() async throws { try await task.value }
}
