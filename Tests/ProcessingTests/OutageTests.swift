import EventLog
import EventLogTesting
import Synchronization
import Testing

@testable import Processing

@Suite struct OutageTests {
    /// A runtime whose handlers have all the time, because the tests move the clock by minutes.
    private func start(_ processor: TestProcessor, in world: World, _ clock: ManualClock) -> Running {
        world.start(processor, clock: clock) { $0.handlerTimeout = .seconds(1_000_000) }
    }

    /// Moves the clock by the minute until the group has finished so many records.
    private func finish(_ count: Offset, in world: World, _ clock: ManualClock) async throws {
        try await eventually("all is handled") {
            clock.advance(by: .seconds(60))
            return try await world.progress() == Progress(offset: count)
        }
    }

    /// Far longer than attempts and age allow: nothing is dead-lettered, and one record at a time asks.
    @Test(arguments: [WorkMode.ordered, .concurrent(limit: 4)])
    func whileAllIsDownNothingIsUsedUp(work: WorkMode) async throws {
        try await World.with { world in
            let clock = ManualClock()
            let isDown = Mutex(true)
            let asked = Journal()
            var processor = TestProcessor { record, context in
                asked.note(record)
                if isDown.withLock({ $0 }) { throw HandlerFailure.outage("down", "", scope: .processor) }
                #expect(context.attempt == 1)
                return [record.copy()]
            }
            processor.work = work
            processor.retry = RetryPolicy(maxAttempts: 2, maxAge: .seconds(10))
            try await world.write((0..<40).map { ("k\($0)", "\($0)") })
            let runtime = start(processor, in: world, clock)
            try await eventually("somebody asked") { asked.all.count > 0 }
            let before = asked.all.count
            try await eventually("six probes") {
                clock.advance(by: .seconds(60))
                return asked.all.count >= before + 6
            }
            #expect(before <= 4)
            isDown.withLock { $0 = false }
            try await finish(40, in: world, clock)
            try await runtime.stop()
            #expect(try await world.read(World.letters).isEmpty)
            #expect(try await world.read("out").count == 40)
        }
    }

    @Test(arguments: [true, false])
    func onlyRecordsOfTheNameThatIsDownWait(isTold: Bool) async throws {
        try await World.with { world in
            let clock = ManualClock()
            let isDown = Mutex(true)
            let asked = Journal()
            var processor = TestProcessor { record, context in
                asked.note(record)
                if record.keyText.hasPrefix("bad"), isDown.withLock({ $0 }) {
                    throw HandlerFailure.outage("held", "", scope: .named("bad"))
                }
                return [record.copy()]
            }
            processor.work = .concurrent(limit: 2)
            processor.retry = RetryPolicy(maxAttempts: 2, maxAge: .seconds(10))
            if isTold { processor.scopeOf = { $0.keyText.hasPrefix("bad") ? "bad" : nil } }
            try await world.write((0..<60).map { ($0 % 2 == 0 ? "good\($0)" : "bad\($0)", "\($0)") })
            let runtime = start(processor, in: world, clock)
            let bad = OffsetSet((0..<60).filter { $0 % 2 == 1 })
            try await eventually("the good ones are done") {
                try await world.progress() == Progress(offset: 60, parked: bad)
            }
            let tries = asked.all.count { $0.hasPrefix("bad") }
            #expect(isTold ? tries <= 2 : tries == 30)
            try await eventually("three probes") {
                clock.advance(by: .seconds(60))
                return asked.all.count { $0.hasPrefix("bad") } >= tries + 3
            }
            isDown.withLock { $0 = false }
            try await finish(60, in: world, clock)
            try await runtime.stop()
            #expect(try await world.read(World.letters).isEmpty)
        }
    }

    @Test(arguments: [OutageScope.processor, .named("n")])
    func aRecordPastItsDeadlineIsEndedAlthoughAllIsDown(scope: OutageScope) async throws {
        try await World.with { world in
            let clock = ManualClock()
            var processor = TestProcessor { record, context in
                if context.now >= World.start + .seconds(100) {
                    throw HandlerFailure.permanent("expired", "", disposition: .expired)
                }
                throw HandlerFailure.outage("down", "", scope: scope, retryAfter: .seconds(100_000))
            }
            processor.work = .concurrent(limit: 2)
            processor.scopeOf = { _ in "n" }
            processor.deadlineOf = { _ in World.start + .seconds(100) }
            try await world.write((0..<10).map { ("k\($0 % 3)", "\($0)") })
            let runtime = start(processor, in: world, clock)
            try await eventually("all have expired") {
                clock.advance(by: .seconds(1))
                return try await world.progress() == Progress(offset: 10)
            }
            try await runtime.stop()
            let letters = try await world.read(World.letters)
            #expect(letters.count == 10)
            #expect(letters.allSatisfy { $0.headers.string("_dlq.errors.disposition") == "EXPIRED" })
        }
    }

    @Test func aFailureMayBringItsOwnSchedule() async throws {
        try await World.with { world in
            let processor = TestProcessor { _, _ in
                let few = RetryPolicy(base: .milliseconds(1), cap: .milliseconds(1), maxAttempts: 2)
                throw HandlerFailure.transient("vague", "", schedule: few)
            }
            try await world.write([("k", "0")])
            let runtime = world.start(processor)
            try await world.waitUntilDone()
            try await runtime.stop()
            #expect(try await world.read(World.letters).first?.headers.string("_dlq.errors.attempts") == "2")
        }
    }

    @Test func aProgressThatStaysTheSameIsCommittedAgainDaily() {
        let source = TopicPartition("t", 0)
        var lane = LaneState<ManualClock.Instant>(
            rules: .init(
                configuration: .init(), retry: RetryPolicy(), work: .ordered, keepsState: false, group: "g",
                deadLetterTopic: "dlq.g"))
        lane.begin(source, .init(mode: .none, commit: .init(offset: 7), birth: 0, state: nil, low: 0), restoring: [],
            now: Timestamp(seconds: 0))
        var commits = 0
        for hour in 0..<72 {
            let now = Moment(
                instant: ManualClock.Instant(sinceStart: .seconds(hour * 3_600)), wall: Timestamp(seconds: Int64(hour)))
            guard let job = lane.turn(at: now).commit else { continue }
            if job.progress[source] == Progress(offset: 7) { commits += 1 }
            lane.committed(job, at: now)
        }
        #expect(commits == 2)
    }
}
