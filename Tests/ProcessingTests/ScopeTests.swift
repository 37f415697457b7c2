import EventLog
import EventLogTesting
import Synchronization
import Testing

@testable import Processing

/// One number's backlog beside the records of others: what waits, for a limit or because the number is held, holds up
/// nobody else. Keys are `<number>:<user>`, the scope is the number.
@Suite struct ScopeTests {
    private typealias Instant = ManualClock.Instant
    private static let source = TopicPartition("t", 0)
    private static func number(_ record: StoredRecord) -> String? {
        record.key.map { String(decoding: $0.prefix { $0 != UInt8(ascii: ":") }, as: UTF8.self) }
    }

    private struct Bench {
        var lane: LaneState<Instant>
        var now = Moment(instant: Instant(sinceStart: .zero), wall: Timestamp(seconds: 0))
        var next: Offset = 0

        init(_ configure: (inout ProcessorRuntimeConfiguration) -> Void = { _ in }) {
            var configuration = ProcessorRuntimeConfiguration()
            configuration.outagePauses = RetryPolicy(base: .seconds(1_000), cap: .seconds(1_000))
            configure(&configuration)
            lane = LaneState(
                rules: .init(
                    configuration: configuration, retry: RetryPolicy(), work: .concurrent(limit: 4), keepsState: false,
                    group: "g", deadLetterTopic: "dlq.g", effects: .marked, scope: ScopeTests.number))
            let plan = StartPlan(mode: .none, commit: .init(offset: 0), birth: 0, state: nil, low: 0)
            lane.begin(ScopeTests.source, plan, restoring: [], now: now.wall)
        }

        /// Records of as many users of each number in turn.
        mutating func receive(_ numbers: [String], _ count: Int) {
            for _ in 0..<count {
                for number in numbers {
                    lane.receive(ScopeTests.source, [.at(next, key: "\(number):\(next)")])
                    next += 1
                }
            }
        }

        var running: [(number: String, run: Run<Instant>)] = []
        var paused: Set<TopicPartition> = []
        var committed = Progress(offset: 0)

        /// Numbers of what began. Each commit is durable at once.
        mutating func turn() -> [String] {
            let before = running.count
            while true {
                let turn = lane.turn(at: now)
                running += turn.start.map { (ScopeTests.number($0.works[0].record) ?? "", $0) }
                paused = turn.paused
                guard let job = turn.commit else { return running[before...].map(\.number) }
                committed = job.progress[ScopeTests.source] ?? committed
                lane.committed(job, at: now)
            }
        }

        /// Ends all that runs of a number until nothing of it is left. Answers how many there were.
        mutating func workOff(_ number: String) -> Int {
            var ended = 0
            while true {
                _ = turn()
                let mine = running.filter { $0.number == number }
                if mine.isEmpty { return ended }
                running.removeAll { $0.number == number }
                for (_, run) in mine { lane.finish(run, RunResult(outcomes: [.done([])]), at: now) }
                ended += mine.count
            }
        }

        /// Its first record says that the number is held.
        mutating func hold(_ number: String) throws {
            receive([number], 1)
            _ = turn()
            let last = running.popLast()
            let outage = HandlerFailure.outage("held", "", scope: .named(number))
            lane.finish(try #require(last).run, RunResult(outcomes: [.failed(outage)]), at: now)
        }
    }

    @Test func aBacklogThatWaitsHoldsUpNoOtherNumber() {
        var bench = Bench()
        bench.receive(["a"], 2_000)
        #expect(bench.turn() == ["a", "a", "a", "a"], "its own hands")
        bench.receive(["b"], 1)
        #expect(bench.turn() == ["b"], "the first record of another number begins at once")
        bench.receive(["c", "b"], 500)
        #expect(bench.turn().contains("c"))
        #expect(bench.paused.isEmpty)
    }

    /// The commit gets past records that wait, so that done ones behind them need no marks and are not handled again.
    @Test func theProgressPassesRecordsThatWaitLong() {
        var bench = Bench()
        bench.receive(["a", "b"], 240)
        #expect(bench.workOff("b") == 240)
        #expect(bench.committed.offset > 200)
        #expect(bench.committed.parked == OffsetSet(stride(from: 0, to: bench.committed.offset, by: 2)))
        // They are begun and end as if nothing had been.
        #expect(bench.workOff("a") == 240)
        #expect(bench.committed == Progress(offset: 480))
    }

    @Test func aHeldNumberStopsAloneThoughMoreOfItWaitsThanACommitCanList() throws {
        var bench = Bench { $0.maxParkedRecords = 50 }
        try bench.hold("a")
        bench.receive(["a", "b"], 400)
        #expect(bench.workOff("b") == 400)
        #expect(bench.paused.isEmpty)
        #expect(bench.lane.partitions[Self.source]?.standing.parked == 401)
        #expect(bench.committed.parked.count == 50, "as many as may be listed")
        let first = try #require(bench.committed.parked.ranges.last).upperBound
        #expect(bench.committed.offset <= first + 2, "what is not listed is read again by a successor")
        // It is paid; the probe finds out, then all the others go.
        bench.now.instant = bench.now.instant.advanced(by: .seconds(2_000))
        #expect(bench.workOff("a") == 401)
        #expect(bench.committed == Progress(offset: 801))
    }

    @Test func aHeldNumberStopsItsPartitionAtTheLanesBound() throws {
        var bench = Bench {
            $0.maxParkedRecords = 50
            $0.maxLaneRecords = 100
        }
        try bench.hold("a")
        bench.receive(["a"], 140)
        #expect(bench.turn().isEmpty && bench.paused.isEmpty)
        bench.receive(["a"], 10)
        #expect(bench.turn().isEmpty)
        #expect(bench.paused == [Self.source])
    }

    /// With the runtime: the backlog is at the head of its partition, and its handlers wait.
    @Test func repliesPassABacklogOnTheLog() async throws {
        try await World.with { world in
            let gate = Gate()
            var processor = TestProcessor(work: .concurrent(limit: 4)) { record, context in
                if Self.number(record) == "a" { await gate.pass() }
                try await context.beginEffect()
                return [record.copy()]
            }
            processor.effects = .marked
            processor.scopeOf = Self.number
            try await world.write((0..<2_000).map { ("a:\($0)", "campaign") })
            try await world.write((0..<300).map { ("b:\($0)", "reply") })
            let runtime = world.start(processor)
            try await eventually("the replies are sent") { try await world.read("out").count == 300 }
            #expect(gate.waiting == 4)
            #expect(try await world.read("out").allSatisfy { $0.valueText == "reply" })
            gate.open()
            try await world.waitUntilDone()
            try await runtime.stop()
            #expect(Set(try await world.read("out").map(\.keyText)).count == 2_300)
        }
    }
}
