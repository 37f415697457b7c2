import EventLog
import EventLogTesting
import Synchronization
import Testing

@testable import Processing

@Suite struct EffectTests {
    private func sender(
        _ work: WorkMode = .concurrent(limit: 4),
        _ handle: @escaping @Sendable (StoredRecord, HandlerContext) async throws -> [Record]
    ) -> TestProcessor {
        var processor = TestProcessor(handler: handle)
        processor.work = work
        processor.effects = .marked
        return processor
    }

    @Test(arguments: [WorkMode.ordered, .concurrent(limit: 4)])
    func theMarkIsOnTheLogBeforeTheEffectBegins(work: WorkMode) async throws {
        try await World.with { world in
            try await world.write((0..<30).map { ("k\($0 % 10)", "\($0)") })
            let unmarked = Journal()
            let runtime = world.start(
                sender(work) { record, context in
                    try await context.beginEffect()
                    if try await !world.progress().attempted.contains(record.offset) { unmarked.note(record) }
                    return [record.copy()]
                })
            try await world.waitUntilDone()
            try await runtime.stop()
            #expect(unmarked.all.isEmpty)
            #expect(try await world.read("out").count == 30)
        }
    }

    /// Record 1 was begun by the first owner, above its commit; record 3 was done above it. Both would be read again.
    @Test func aSuccessorIsToldWhichOutcomesAreUnknown() async throws {
        try await World.with { world in
            let gate = Gate()
            try await world.write((0..<4).map { ("k\($0)", "\($0)") })
            let first = world.start(
                sender { record, context in
                    if record.offset == 0 { await gate.pass() }
                    if record.offset != 2 { try await context.beginEffect() }
                    if record.offset < 3 { await gate.pass() }
                    return [record.copy()]
                })
            try await eventually("three hang, one is done") {
                let done = try await world.read("out").count
                return gate.waiting == 3 && done == 1
            }
            #expect(try await world.progress() == Progress(offset: 0, attempted: [1, 3]))
            await first.kill()
            gate.open()

            let unknown = Mutex<Set<Offset>>([])
            let second = world.start(
                sender { record, context in
                    if context.effect == .unknown { _ = unknown.withLock { $0.insert(record.offset) } }
                    return [record.copy()]
                })
            try await world.waitUntilDone()
            try await second.stop()
            #expect(unknown.withLock { $0 } == [1, 3])
        }
    }

    @Test func noEffectBeginsWhileTheLogTakesNothingAndWaitingIsNotHandling() async throws {
        try await World.with { world in
            let clock = ManualClock()
            let faulty = FaultyLog(world.log, plan: .none)
            let (asked, begun) = (Journal(), Journal())
            faulty.breakDown()
            try await world.write([("k", "0")])
            let runtime = world.start(
                sender { record, context in
                    asked.note(record)
                    try await context.beginEffect()
                    begun.note(record)
                    return [record.copy()]
                }, on: faulty, clock: clock)
            try await eventually("it asked, and the log refused") { asked.all.count == 1 && faulty.injected > 0 }
            for _ in 0..<20 { clock.advance(by: .seconds(10)) }
            try await eventually("the log refused again") {
                clock.advance(by: .seconds(10))
                return faulty.injected > 10
            }
            #expect(begun.all.isEmpty && asked.all.count == 1)
            faulty.repair()
            try await eventually("it went on") {
                clock.advance(by: .seconds(10))
                return try await world.progress() == Progress(offset: 1)
            }
            try await runtime.stop()
            #expect(begun.all.count == 1 && asked.all.count == 1)
        }
    }

    @Test func whoKnowsThatNothingHappenedBeginsAnew() async throws {
        try await World.with { world in
            try await world.write([("sure", "0"), ("unsure", "1")])
            let told = Mutex<[String: [EffectOutcome]]>([:])
            let runtime = world.start(
                sender { record, context in
                    told.withLock { $0[record.keyText, default: []].append(context.effect) }
                    if context.attempt < 3 {
                        try await context.beginEffect()
                        throw HandlerFailure.transient("down", "", effect: record.keyText == "sure" ? .none : .unknown)
                    }
                    return [record.copy()]
                })
            try await world.waitUntilDone()
            try await runtime.stop()
            #expect(told.withLock { $0 } == ["sure": [.none, .none, .none], "unsure": [.none, .unknown, .unknown]])
        }
    }

    @Test func aHandlerThatTookTooLongLeavesAnUnknownOutcome() async throws {
        try await World.with { world in
            let clock = ManualClock()
            let gate = Gate()
            let told = Mutex<[EffectOutcome]>([])
            try await world.write([("k", "0")])
            let runtime = world.start(
                sender { record, context in
                    told.withLock { $0.append(context.effect) }
                    if context.attempt > 1 { return [record.copy()] }
                    try await context.beginEffect()
                    await gate.pass()
                    return []
                }, clock: clock)
            try await eventually("it hangs") { gate.waiting == 1 }
            try await eventually("it is done") {
                clock.advance(by: .seconds(1))
                return try await world.progress() == Progress(offset: 1)
            }
            gate.open()
            try await runtime.stop()
            #expect(told.withLock { $0 } == [.none, .unknown])
        }
    }

    @Test func aProcessorThatDeclaresNoEffectsCannotBeginAny() async throws {
        try await World.with { world in
            try await world.write([("k", "0")])
            let runtime = world.start(
                TestProcessor { record, context in
                    try await context.beginEffect()
                    return [record.copy()]
                })
            try await world.waitUntilDone()
            try await runtime.stop()
            #expect(try await world.read(World.letters).count == 1)
        }
    }

    /// Marks asked for while a commit is under way share the next one; what the note has no room for waits.
    @Test func manyMarksShareACommitAsFarAsTheNoteHasRoom() throws {
        let source = TopicPartition("t", 0)
        let now = Moment(instant: ManualClock.Instant(sinceStart: .zero), wall: Timestamp(seconds: 1))
        var lane = LaneState<ManualClock.Instant>(
            rules: .init(
                configuration: .init(), retry: RetryPolicy(), work: .concurrent(limit: 1_000), keepsState: false,
                group: "g", deadLetterTopic: "dlq.g", effects: .marked))
        lane.begin(source, .init(mode: .none, commit: .init(offset: 0), birth: 0, state: nil, low: 0), restoring: [],
            now: Timestamp(seconds: 0))
        lane.receive(source, (0..<1_000).map { .at($0 * 1_000, key: "\($0)") })
        let first = lane.turn(at: now)
        if let job = first.commit { lane.committed(job, at: now) }
        let runs = first.start
        #expect(runs.count == 1_000)
        for (id, run) in runs.enumerated() { lane.requestMark(UInt64(id), run, run.works[0].record) }
        var turn = lane.turn(at: now)
        var granted: [UInt64] = []
        var commits = 0
        while let job = turn.commit {
            commits += 1
            let progress = try #require(job.progress[source])
            #expect(progress.encoded() != nil)
            lane.committed(job, at: now)
            turn = lane.turn(at: now)
            for id in turn.marks.granted {
                #expect(progress.attempted.contains(Offset(id) * 1_000))
                lane.finish(runs[Int(id)], RunResult(outcomes: [.done([])]), at: now)
            }
            granted += turn.marks.granted
            if turn.commit == nil { turn = lane.turn(at: now) }
        }
        #expect(granted.sorted() == (0..<1_000).map { UInt64($0) })
        #expect(commits < 12)
    }
}
