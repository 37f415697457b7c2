import EventLog
import EventLogTesting
import Synchronization
import Testing

@testable import Processing

@Suite struct ParkingTests {
    private static let modes: [WorkMode] = [.ordered, .concurrent(limit: 4)]

    /// Two good conversations around a bad one.
    private static let mixed: [(key: String?, value: String)] = [
        ("good", "0"), ("bad", "1"), ("good", "2"), ("bad", "3"), ("fine", "4"), ("bad", "5"), ("good", "6"),
    ]

    @Test(arguments: modes)
    func aFailingConversationWaitsInOrderAndHoldsUpNobody(work: WorkMode) async throws {
        try await World.with { world in
            let isDown = Mutex(true)
            let processor = TestProcessor(work: work) { record, _ in
                if record.keyText == "bad", isDown.withLock({ $0 }) { throw HandlerFailure.transient("down", "") }
                return [record.copy()]
            }
            try await world.write(Self.mixed)
            let runtime = world.start(processor) { _ in }
            try await eventually("the others are committed") {
                try await world.progress() == Progress(offset: 7, parked: [1, 3, 5])
            }
            #expect(Set(try await world.read("out").map(\.valueText)) == ["0", "2", "4", "6"])
            isDown.withLock { $0 = false }
            try await world.waitUntilDone()
            try await runtime.stop()
            #expect(try await world.read("out").filter { $0.keyText == "bad" }.map(\.valueText) == ["1", "3", "5"])
        }
    }

    @Test(arguments: modes)
    func parkedRecordsSurviveTheDeathOfTheirOwnerAndComeFirst(work: WorkMode) async throws {
        try await World.with { world in
            let clock = ManualClock()
            let failing = TestProcessor(work: work) { record, _ in
                if record.keyText == "bad" { throw HandlerFailure.transient("down", "") }
                return [record.copy()]
            }
            try await world.write(Self.mixed)
            let first = world.start(failing, clock: clock)
            try await eventually("parked") { try await world.progress() == Progress(offset: 7, parked: [1, 3, 5]) }
            await first.kill()
            let failed = try #require(try await world.wholeProgress().tries[1]).attempts

            try await world.write([("bad", "7")])
            let attempts = Mutex<[Int]>([])
            let second = world.start(
                TestProcessor(work: work) { record, context in
                    attempts.withLock { $0.append(context.attempt) }
                    return [record.copy()]
                })
            try await world.waitUntilDone()
            try await second.stop()
            let bad = try await world.read("out").filter { $0.keyText == "bad" }
            #expect(bad.map(\.valueText) == ["1", "3", "5", "7"])
            #expect(attempts.withLock { $0 } == [failed + 1, 1, 1, 1])
        }
    }

    @Test func retriesFollowTheScheduleAndTheOtherSidesWish() async throws {
        try await World.with { world in
            let clock = ManualClock()
            let seen = Mutex<[(attempt: Int, at: Duration, first: Timestamp?)]>([])
            var processor = TestProcessor { record, context in
                if record.keyText == "other" { return [record.copy()] }
                seen.withLock { $0.append((context.attempt, context.now - World.start, context.firstFailedAt)) }
                switch context.attempt {
                case 1: throw HandlerFailure.transient("slow-down", "", retryAfter: .seconds(60))
                case 2: throw HandlerFailure.transient("down", "")
                default: return [record.copy()]
                }
            }
            processor.retry = RetryPolicy(base: .seconds(10), cap: .seconds(100))
            try await world.write([("k", "1")])
            let runtime = world.start(processor, clock: clock)
            try await eventually("parked") { try await world.progress() == Progress(offset: 1, parked: [0]) }
            clock.advance(by: .milliseconds(59_999))
            try await world.write([("other", "2")])
            try await eventually("the lane has seen that time") { try await world.progress().offset == 2 }
            #expect(seen.withLock { $0.map(\.attempt) } == [1])
            clock.advance(by: .milliseconds(1))
            try await eventually("the second try") { seen.withLock { $0.count == 2 } }
            try await eventually("worked off") {
                clock.advance(by: .milliseconds(100))
                return try await world.progress() == Progress(offset: 2)
            }
            try await runtime.stop()
            let tries = seen.withLock { $0 }
            #expect(tries.map(\.attempt) == [1, 2, 3])
            #expect(tries.map(\.first) == [nil, World.start, World.start])
            #expect(tries[1].at == .seconds(60))
        }
    }

    @Test(arguments: modes)
    func aRecordThatKeepsFailingIsDeadLetteredWithItsCause(work: WorkMode) async throws {
        try await World.with { world in
            let letterless = Record(
                topic: "in", key: Array("bad".utf8), value: [0, 255],
                headers: Headers([Header("ce_id", "1"), Header("empty", nil), Header("_dlq.redrive.count", "2")]))
            try await world.log.produce([letterless])
            try await world.write([("bad", "after")])
            var processor = TestProcessor(work: work) { record, _ in
                if record.value == [0, 255] {
                    throw HandlerFailure.transient("down", String(repeating: "ü", count: 1_000))
                }
                return [record.copy()]
            }
            processor.retry = RetryPolicy(base: .milliseconds(1), cap: .milliseconds(2), maxAttempts: 3)
            processor.atDeath = { record, failure in
                [Record(topic: "out", key: record.key, value: Array(failure.errorClass.utf8))]
            }
            let runtime = world.start(processor)
            try await world.waitUntilDone()
            try await runtime.stop()

            let letter = try #require(try await world.read(World.letters).first)
            #expect(letter.key == letterless.key && letter.value == letterless.value)
            #expect(Array(letter.headers.packed.prefix(letterless.headers.packed.count)) == letterless.headers.packed)
            let added = letter.headers.dropFirst(3).map {
                "\($0.name)=\(String(decoding: $0.value ?? [], as: UTF8.self))"
            }
            #expect(
                added == [
                    "_dlq.errors.original.topic=in", "_dlq.errors.original.partition=0",
                    "_dlq.errors.original.offset=0", "_dlq.errors.group=millrace.test", "_dlq.errors.attempts=3",
                    "_dlq.errors.disposition=MAX_ATTEMPTS", "_dlq.errors.class=down",
                    "_dlq.errors.message=" + String(repeating: "ü", count: 512),
                    "_dlq.errors.first-failed-at=2023-11-14T22:13:20.000Z",
                ])
            #expect(letter.headers.string("_dlq.redrive.count") == "2")
            #expect(try await world.read("out").map(\.valueText) == ["down", "after"])
        }
    }

    @Test func aFinalFailureIsDeadLetteredAtOnceAndItsKeyMovesOn() async throws {
        try await World.with { world in
            let handled = Journal()
            let processor = TestProcessor { record, _ in
                handled.note(record)
                if record.valueText == "1" { throw HandlerFailure.permanent("odd", "", disposition: .deserialization) }
                return [record.copy()]
            }
            try await world.write(Self.mixed)
            let runtime = world.start(processor)
            try await world.waitUntilDone()
            try await runtime.stop()
            #expect(handled.count("bad:1") == 1)
            let letter = try #require(try await world.read(World.letters).first)
            #expect(letter.headers.string("_dlq.errors.disposition") == "DESERIALIZATION")
            #expect(letter.headers.string("_dlq.errors.attempts") == "1")
            #expect(letter.headers.string("_dlq.redrive.count") == "0")
            #expect(try await world.read("out").filter { $0.keyText == "bad" }.map(\.valueText) == ["3", "5"])
        }
    }

    @Test func anyOtherErrorIsPassing() async throws {
        struct Hiccup: Error {}
        try await World.with { world in
            let processor = TestProcessor { record, context in
                if context.attempt < 3 { throw Hiccup() }
                return [record.copy()]
            }
            try await world.write([("k", "1")])
            let runtime = world.start(processor)
            try await world.waitUntilDone()
            try await runtime.stop()
            #expect(try await world.read("out").count == 1)
            #expect(try await world.read(World.letters).isEmpty)
        }
    }

    @Test(arguments: modes)
    func aHandlerThatTakesTooLongIsGivenUpAndItsLateResultDiscarded(work: WorkMode) async throws {
        try await World.with { world in
            let clock = ManualClock()
            let gate = Gate()
            let processor = TestProcessor(work: work) { record, context in
                if record.keyText == "bad", record.valueText == "3", context.attempt == 1 { await gate.pass() }
                var output = record.copy()
                output.headers.append("attempt", "\(context.attempt)")
                return [output]
            }
            try await world.write(Self.mixed)
            let runtime = world.start(processor, clock: clock)
            try await eventually("it hangs") { gate.waiting == 1 }
            try await eventually("worked off") {
                clock.advance(by: .seconds(1))
                return try await world.progress() == Progress(offset: 7)
            }
            gate.open()
            try await world.write([("bad", "7")])
            try await world.waitUntilDone()
            try await runtime.stop()
            let bad = try await world.read("out").filter { $0.keyText == "bad" }
            #expect(bad.map(\.valueText) == ["1", "3", "5", "7"])
            #expect(bad.map { $0.headers.string("attempt") } == ["1", "2", "1", "1"])
        }
    }

    @Test func aLaneThatIsFullOfParkedRecordsPausesAndLosesNothing() async throws {
        try await World.with { world in
            let isDown = Mutex(true)
            let handled = Journal()
            let processor = TestProcessor { record, _ in
                handled.note(record)
                if isDown.withLock({ $0 }) { throw HandlerFailure.transient("down", "") }
                return [record.copy()]
            }
            let runtime = world.start(processor) {
                $0.maxParkedRecords = 10
                $0.maxLaneRecords = 50
            }
            try await world.write((0..<60).map { ("k\($0)", "\($0)") })
            try await eventually("as many are listed as may be") { try await world.progress().parked.count == 10 }
            try await eventually("the others wait as well") { Set(handled.all).count == 60 }
            #expect(try await world.progress().offset == 10)
            try await world.write((60..<80).map { ("k\($0)", "\($0)") })
            for _ in 0..<20 { try await Task.sleep(for: .milliseconds(5)) }
            #expect(Set(handled.all).count == 60)
            isDown.withLock { $0 = false }
            try await world.waitUntilDone()
            try await runtime.stop()
            #expect(Set(try await world.read("out").map(\.valueText)).count == 80)
        }
    }

    /// Attempts and age go on where the former owner was; the time in which nobody tried does not count.
    @Test func attemptsAndAgeSurviveATakeOver() async throws {
        try await World.with { world in
            let clock = ManualClock()
            let attempts = Journal()
            var processor = TestProcessor { record, context in
                attempts.note("\(context.attempt)")
                throw HandlerFailure.transient("down", "", retryAfter: .seconds(1_000))
            }
            processor.retry = RetryPolicy(maxAttempts: 100, maxAge: .seconds(2_500))
            try await world.write([("k", "0"), ("k", "1")])
            let first = world.start(processor, clock: clock) { $0.handlerTimeout = .seconds(1_000_000) }
            try await eventually("it failed once") { try await world.wholeProgress().tries[0]?.attempts == 1 }
            try await eventually("it failed twice") {
                clock.advance(by: .seconds(100))
                return try await world.wholeProgress().tries[0]?.attempts == 2
            }
            await first.kill()
            let known = try #require(try await world.wholeProgress().tries[0])
            #expect((1_000...1_200).contains(known.seconds))
            clock.advance(by: .seconds(50_000))
            let second = world.start(processor, clock: clock) { $0.handlerTimeout = .seconds(1_000_000) }
            try await eventually("it is given up, and the one behind it is tried") {
                clock.advance(by: .seconds(100))
                return try await world.read(World.letters).count == 1
            }
            try await second.stop()
            let letter = try #require(try await world.read(World.letters).first)
            #expect(letter.valueText == "0" && letter.headers.string("_dlq.errors.attempts") == "4")
            #expect(attempts.all.prefix(4) == ["1", "2", "3", "4"])
            // The one behind it had not failed before.
            #expect(attempts.all.dropFirst(4).first ?? "1" == "1")
        }
    }

    @Test func triesThatHaveNoRoomAreLeftOutBeforeParkedRecordsAre() {
        var tracker = OffsetTracker(start: 0, maxParked: 500)
        for offset: Offset in 0..<2_000 { tracker.receive(.at(offset, key: "k")) }
        for offset: Offset in stride(from: 0, to: 1_000, by: 2) {
            tracker.park(offset, .init(attempts: 11, seconds: 3_000))
        }
        for offset: Offset in stride(from: 1, to: 1_000, by: 2) { tracker.done(offset) }
        let progress = tracker.progress()
        #expect(progress.parked.count == 500 && progress.offset == 1_000)
        #expect(!progress.tries.isEmpty && progress.tries.count < 500 && !progress.triesAreComplete)
        #expect(progress.tries.keys.max()! < 2 * Offset(progress.tries.count))
        #expect(progress.encoded() != nil)
    }
}
