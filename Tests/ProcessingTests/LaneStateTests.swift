import EventLog
import EventLogTesting
import Testing

@testable import Processing

/// A lane in a simulated world: handlers, commits, time and crashes come from one seed.
@Suite struct LaneStateTests {
    typealias Instant = ManualClock.Instant

    /// Nothing is lost and no conversation is reordered, whatever fails, times out, crashes or is revoked.
    @Test(arguments: 0..<150 as Range<UInt64>, [WorkMode.ordered, .concurrent(limit: 4)])
    func conservesRecordsAndOrder(seed: UInt64, work: WorkMode) {
        var world = LaneWorld(seed: seed, work: work)
        world.run()
        #expect(world.complaints.isEmpty, "seed \(seed): \(world.complaints.first ?? "")")
        #expect(world.unfinished.isEmpty, "seed \(seed): never finished \(world.unfinished.prefix(3))")
    }

    @Test func aRecordIsGivenUpWhenItsFirstFailureLiesTooFarBack() throws {
        let source = TopicPartition("t", 0)
        var lane = LaneState<Instant>(
            rules: .init(
                configuration: .init(), retry: RetryPolicy(maxAge: .seconds(1_000)), work: .ordered, keepsState: false,
                group: "g", deadLetterTopic: "dlq.g"))
        lane.begin(source, .init(mode: .none, commit: .init(offset: 0), birth: 0, state: nil, low: 0), restoring: [])
        lane.receive(source, [.at(0, key: "k")])
        for tries in 0..<3 {
            let seconds = Int64(tries * 400)
            let now = Moment(instant: Instant(sinceStart: .seconds(seconds)), wall: Timestamp(seconds: seconds))
            let run = try #require(lane.turn(at: now).start.first)
            #expect(run.works.map(\.attempts) == [tries])
            let failure = HandlerFailure.transient("down", "", retryAfter: .seconds(400))
            lane.finish(run, RunResult(outcomes: [.failed(failure)]), at: now)
            let next = lane.turn(at: now)
            if tries < 2 {
                #expect(next.start.isEmpty)
            } else {
                guard case .condemned = next.start.first?.works.first?.fate else { throw Overdue() }
            }
        }
    }
}

struct LaneWorld {
    private static let source = TopicPartition("t", 0)
    private static let maxParked = 6
    private static let records: Offset = 120

    private let seed: UInt64
    private let rules: LaneState<ManualClock.Instant>.Rules
    private var random: SeededGenerator
    private var now = Moment(instant: ManualClock.Instant(sinceStart: .zero), wall: Timestamp(seconds: 1_000))
    private var lane: LaneState<ManualClock.Instant>
    private var paused = false
    /// What the log holds for the group.
    private var committed = Progress(offset: 0)
    private var position: Offset = 0
    private var handlers: [Run<ManualClock.Instant>] = []
    private var commit: CommitJob?
    private var wakeAt: ManualClock.Instant?
    private var isClosed = false
    /// Last record of each key that ended in this owner's life.
    private var lastEnded: [RecordKey: Offset] = [:]
    private(set) var unfinished = Set(0..<LaneWorld.records)
    private(set) var complaints: [String] = []

    init(seed: UInt64, work: WorkMode) {
        self.seed = seed
        random = SeededGenerator(seed: seed)
        var configuration = ProcessorRuntimeConfiguration()
        configuration.maxLaneRecords = 20
        configuration.maxBatchRecords = 5
        configuration.maxParkedRecords = Self.maxParked
        rules = .init(
            configuration: configuration, retry: RetryPolicy(maxAttempts: 4), work: work, keepsState: false, group: "g",
            deadLetterTopic: "dlq.g")
        lane = LaneState(rules: rules)
        takeOver()
    }

    private func record(_ offset: Offset) -> StoredRecord {
        .at(offset, key: "k\(offset.hashed(seed) % 5)")
    }

    mutating func run() {
        for step in 0..<6_000 where !unfinished.isEmpty || step < 10 { act(isCalm: step > 3_000) }
    }

    private mutating func act(isCalm: Bool) {
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<25: deliver()
        case 25..<65: endHandler(isCalm)
        case 65..<85: endCommit(isCalm)
        case 85..<95: moveTime(isCalm)
        case 95..<97 where !isCalm: lane.drain(at: now)
        case 97..<98 where !isCalm: takeOver()
        default: break
        }
        turn()
        if isClosed { takeOver() }
    }

    private mutating func deliver() {
        if paused || position >= Self.records { return }
        let end = min(Self.records, position + Offset.random(in: 1...8, using: &random))
        lane.receive(Self.source, (position..<end).map(record))
        position = end
    }

    private mutating func endHandler(_ isCalm: Bool) {
        guard !handlers.isEmpty else { return }
        let run = handlers.remove(at: Int.random(in: 0..<handlers.count, using: &random))
        var result = RunResult()
        var failed: Set<RecordKey> = []
        for (index, work) in run.works.enumerated() {
            guard case .goOn = run.begin(index, at: now.instant) else { break }
            let key = RecordKey(work.record)
            let isBad = Int.random(in: 0..<100, using: &random) < (isCalm ? 5 : 25)
            if failed.contains(key) {
                result.outcomes.append(.behind)
            } else if case .condemned = work.fate {
                result.outcomes.append(.done([]))
            } else if isBad {
                failed.insert(key)
                result.outcomes.append(.failed(.transient("bad", "")))
            } else {
                result.outcomes.append(.done([output(work.record)]))
            }
        }
        if run.works.count > 1, Int.random(in: 0..<10, using: &random) == 0 {
            result = RunResult(mustBeRepeated: true)
        }
        if case .disowned = run.begin(0, at: now.instant) {} else { note(run, result) }
        lane.finish(run, result, at: now)
    }

    /// The oracle of order: what ends in one life ends in the order of its key.
    private mutating func note(_ run: Run<ManualClock.Instant>, _ result: RunResult) {
        for (work, outcome) in zip(run.works, result.outcomes) {
            guard case .done = outcome else { continue }
            let key = RecordKey(work.record)
            if let last = lastEnded[key], last >= work.record.offset {
                complaints.append("\(work.record.offset) of \(key) ended after \(last)")
            }
            lastEnded[key] = work.record.offset
        }
    }

    private func output(_ record: StoredRecord) -> Record { Record(topic: "out", key: record.key, value: record.value) }

    private mutating func endCommit(_ isCalm: Bool) {
        guard let job = commit else { return }
        if !isCalm, Int.random(in: 0..<5, using: &random) == 0 { return }
        commit = nil
        if let progress = job.progress[Self.source] {
            if progress.offset < committed.offset { complaints.append("commit lowered to \(progress.offset)") }
            if progress.parked.count > Self.maxParked { complaints.append("\(progress.parked.count) parked listed") }
            committed = progress
            unfinished = unfinished.filter { !progress.hasFinished($0) }
        }
        lane.committed(job, at: now)
    }

    private mutating func moveTime(_ isCalm: Bool) {
        let step: Duration = .milliseconds(Int64.random(in: 0...(isCalm ? 400 : 20_000), using: &random))
        now.instant = now.instant.advanced(by: step)
        now.wall = now.wall + step
    }

    private mutating func turn() {
        let turn = lane.turn(at: now)
        handlers += turn.start
        if let job = turn.commit {
            if commit != nil { complaints.append("two commits at once") }
            commit = job
        }
        paused = !turn.paused.isEmpty
        isClosed = turn.isClosed
        let running = handlers.count { if case .disowned = $0.begin(0, at: now.instant) { false } else { true } }
        if running > rules.concurrency { complaints.append("\(running) runs at once") }
    }

    /// The owner dies or has given up; the next one begins with what the log holds.
    private mutating func takeOver() {
        let plan = StartPlan(mode: .none, commit: committed, birth: 0, state: nil, low: 0)
        lane = LaneState(rules: rules, random: SeededGenerator(seed: random.next()))
        lane.begin(Self.source, plan, restoring: plan.exceptions.map(record))
        position = plan.start
        handlers = []
        commit = nil
        isClosed = false
        paused = false
        lastEnded = [:]
        turn()
    }
}

extension Offset {
    /// A fixed, even mapping of offsets to numbers.
    fileprivate func hashed(_ seed: UInt64) -> UInt64 {
        var generator = SeededGenerator(seed: seed &+ UInt64(self) &* 7_919)
        return generator.next()
    }
}
