import EventLog
import EventLogTesting
import Testing

@testable import Processing

/// What outages do to a lane, event by event.
@Suite struct BreakerTests {
    private typealias Instant = ManualClock.Instant
    private static let source = TopicPartition("t", 0)

    /// A lane whose handlers are the test.
    private struct Bench {
        var lane: LaneState<Instant>
        var seconds: Int64 = 0
        var now: Moment<Instant> {
            Moment(instant: Instant(sinceStart: .seconds(seconds)), wall: Timestamp(seconds: seconds))
        }

        init(
            _ work: WorkMode = .concurrent(limit: 2), maxAge: Duration = .seconds(100_000), keys: [String],
            deadline: (@Sendable (StoredRecord) -> Timestamp?)? = nil
        ) {
            var configuration = ProcessorRuntimeConfiguration()
            configuration.handlerTimeout = .seconds(1_000_000)
            configuration.outagePauses = RetryPolicy(base: .seconds(8), cap: .seconds(8))
            lane = LaneState(
                rules: .init(
                    configuration: configuration, retry: RetryPolicy(maxAge: maxAge), work: work, keepsState: false,
                    group: "g", deadLetterTopic: "dlq.g", scope: { _ in "n" }, deadline: deadline ?? { _ in nil }))
            let plan = StartPlan(mode: .none, commit: .init(offset: 0), birth: 0, state: nil, low: 0)
            lane.begin(BreakerTests.source, plan, restoring: [], now: now.wall)
            lane.receive(BreakerTests.source, keys.enumerated().map { .at(Offset($0.offset), key: $0.element) })
        }

        mutating func turn() -> LaneState<Instant>.Turn { lane.turn(at: now) }
        mutating func finish(_ run: Run<Instant>, _ outcome: RunResult.Outcome) {
            lane.finish(run, RunResult(outcomes: [outcome]), at: now)
        }
        mutating func breakDown(_ run: Run<Instant>) {
            lane.finish(run, RunResult(outage: .outage("down", "", scope: .processor)), at: now)
        }
        /// Lets what is down be asked every few seconds until then, always in vain. Answers what else began.
        mutating func stayDown(until end: Int64) -> [Run<Instant>] {
            var others: [Run<Instant>] = []
            while seconds < end {
                seconds += 4
                for run in turn().start {
                    if case .toBeHandled = run.works[0].fate { breakDown(run) } else { others.append(run) }
                }
            }
            return others
        }
    }

    private static let outage = HandlerFailure.outage("down", "", scope: .named("n"))
    private static let expired = HandlerFailure.permanent("expired", "", disposition: .expired)

    @Test func aRecordThatExpiresDoesNotEndTheOutage() throws {
        var bench = Bench(keys: ["a", "b"]) { $0.offset == 0 ? Timestamp(seconds: 100) : nil }
        let runs = bench.turn().start
        #expect(runs.count == 2)
        bench.finish(runs[0], .failed(Self.outage))
        bench.finish(runs[1], .failed(Self.outage))
        // Woken by its deadline and not by a probe, or as one: both ask nobody.
        bench.seconds = 101
        let late = try #require(bench.turn().start.first { $0.works[0].record.offset == 0 })
        bench.finish(late, .failed(Self.expired))
        #expect(bench.lane.breakers.isOpen(.named("n")))
        let letter = try #require(bench.turn().start.first)
        guard case .condemned = letter.works[0].fate else { throw Overdue() }
        bench.finish(letter, .done([]))
        #expect(bench.lane.breakers.isOpen(.named("n")))
    }

    @Test func agesStandStillWhileAllIsDown() throws {
        var bench = Bench(maxAge: .seconds(100), keys: ["a", "b"])
        let runs = bench.turn().start
        bench.finish(runs[0], .failed(.transient("own", "", retryAfter: .seconds(10))))
        _ = bench.turn()
        bench.seconds = 5
        bench.breakDown(runs[1])
        #expect(bench.stayDown(until: 5_000).isEmpty)
        bench.seconds += 20
        let probe = try #require(bench.turn().start.first)
        bench.finish(probe, .failed(.transient("own", "", retryAfter: .seconds(10))))
        let next = bench.turn().start
        for run in next where run.works[0].record.offset == 0 {
            bench.finish(run, .failed(.transient("own", "", retryAfter: .seconds(10))))
        }
        _ = bench.turn()
        bench.seconds += 15
        for run in bench.turn().start {
            guard case .toBeHandled = run.works[0].fate else {
                Issue.record("\(run.works[0].record.offset) was given up")
                continue
            }
        }
        let tries = try #require(bench.lane.partitions[Self.source]?.tracker.progress().tries)
        #expect(tries[0].map { $0.attempts == 2 && $0.seconds < 100 } ?? false)
    }

    @Test func deadLettersAreWrittenWhileAllIsDown() throws {
        var bench = Bench(keys: ["a", "b", "c"])
        let runs = bench.turn().start
        bench.breakDown(runs[1])
        bench.finish(runs[0], .failed(.permanent("bad", "")))
        let begun = bench.turn().start
        #expect(begun.map { $0.works[0].record.offset } == [0])
        guard case .condemned = try #require(begun.first).works[0].fate else { throw Overdue() }
    }

    @Test func whileAllIsDownNoMoreHandsAreUsedThanThereAre() {
        var bench = Bench(keys: (0..<12).map { "k\($0)" }) { _ in Timestamp(seconds: 50) }
        let runs = bench.turn().start
        for run in runs { bench.breakDown(run) }
        bench.seconds = 60
        // All have expired: each may be ended, two at a time.
        var ended = 0
        for _ in 0..<12 {
            let begun = bench.turn().start
            #expect(bench.lane.running.count <= 2)
            ended += begun.count
            for run in begun { bench.finish(run, .done([])) }
        }
        #expect(ended == 12)
    }

    @Test func anOutageIsToldWhenItBeginsAndWhenItEnds() throws {
        var bench = Bench(.ordered, keys: ["a", "b", "c"])
        var told: [Bool] = []
        func take(_ turn: LaneState<Instant>.Turn) -> [Run<Instant>] {
            told += turn.outages.map(\.isOpen)
            return turn.start
        }
        bench.breakDown(try #require(take(bench.turn()).first))
        for _ in 0..<20 {
            bench.seconds += 4
            for run in take(bench.turn()) { bench.breakDown(run) }
        }
        #expect(told == [true])
        bench.seconds += 8
        let probe = try #require(take(bench.turn()).first)
        bench.finish(probe, .done([]))
        _ = take(bench.turn())
        #expect(told == [true, false])
    }

    /// Who takes over does not know of the outage; the record finds out again, and nothing was used up.
    @Test func aTakeOverInTheMiddleOfAnOutageUsesNothingUp() throws {
        var bench = Bench(keys: ["a"])
        bench.finish(try #require(bench.turn().start.first), .failed(.transient("own", "", retryAfter: .seconds(2))))
        _ = bench.turn()
        bench.seconds = 3
        bench.finish(try #require(bench.turn().start.first), .failed(Self.outage))
        bench.seconds = 900
        let progress = try #require(bench.lane.partitions[Self.source]?.tracker.progress())
        // The three seconds before it are its own.
        #expect(progress.parked == [0] && progress.tries[0] == .init(attempts: 1, seconds: 3))
    }
}
