import EventLog
import EventLogTesting
import Testing
import WhatsApp

@testable import millrace

extension LogWorld {
    /// A dead letter as the runtime writes it.
    func letter(
        _ value: String, key: String = "k", class errorClass: String = "timeout", redriven count: Int = 0,
        from partition: Int32 = 0, homeless: Bool = false
    ) -> Record {
        var headers = Headers([Header("ce_id", value), Header("ce_source", "/s"), Header("null", nil)])
        if !homeless { headers.append("_dlq.errors.original.topic", "in") }
        headers.append("_dlq.errors.original.partition", "\(partition)")
        headers.append("_dlq.errors.original.offset", "7")
        headers.append("_dlq.errors.disposition", "MAX_ATTEMPTS")
        headers.append("_dlq.errors.class", errorClass)
        headers.append("_dlq.redrive.count", "\(count)")
        return Record(
            topic: Self.letters, partition: partition, key: Array(key.utf8), value: Array(value.utf8), headers: headers,
            timestamp: Self.written)
    }

    func redrive(on other: (any Log)? = nil) -> Redrive<ContinuousClock> {
        Redrive(log: other ?? log, letters: Self.letters, group: "redrive.millrace.test", clock: ContinuousClock())
    }
}

@Suite struct RedriveTests {
    private func plan(
        class errorClass: String? = nil, maxRedrives: Int = 3, rate: Double = 100_000, limit: Int = .max
    ) -> Redrive<ContinuousClock>.Plan {
        Redrive<ContinuousClock>.Plan(
            filter: { errorClass == nil || $0.cause.errorClass == errorClass }, maxRedrives: maxRedrives, rate: rate,
            limit: limit)
    }

    @Test func aLetterGoesBackAsItWasWithItsCountUp() async throws {
        try await LogWorld.with(partitions: 3) { world in
            try await world.log.produce([world.letter("a", redriven: 1, from: 2)])
            #expect(try await world.redrive().run(plan()).redriven == 1)
            let back = try #require(try await world.read("in").first)
            #expect(back.source == TopicPartition("in", 2))
            #expect(back.keyText == "k" && back.valueText == "a")
            #expect(
                Array(back.headers) == [
                    Header("ce_id", "a"), Header("ce_source", "/s"), Header("null", nil), Header("_dlq.redrive.count", "2"),
                ])
            #expect(back.timestamp > LogWorld.written)
        }
    }

    @Test func lettersGoBackOnceAndInOrderWhateverFiltersFollowEachOther() async throws {
        try await LogWorld.with { world in
            try await world.log.produce(
                (0..<60).map { world.letter("\($0)", key: "k\($0 % 4)", class: $0 % 3 == 0 ? "131056" : "timeout") })
            #expect(try await world.redrive().run(plan(class: "131056")).redriven == 20)
            #expect(try await world.values("in") == stride(from: 0, to: 60, by: 3).map { "\($0)" })
            #expect(try await world.redrive().run(plan(class: "131056")).redriven == 0)
            // A letter of the class that dies later is a new one.
            try await world.log.produce([world.letter("60", class: "131056")])
            #expect(try await world.redrive().run(plan()).redriven == 41)
            let others = (0...60).filter { $0 % 3 != 0 || $0 == 60 }
            #expect(try await Array(world.values("in").dropFirst(20)) == others.map { "\($0)" })
            #expect(try await world.redrive().run(plan()).redriven == 0)
        }
    }

    @Test func aLetterThatWentBackTooOftenStaysAndSoDoesOneWithoutAHome() async throws {
        try await LogWorld.with { world in
            try await world.log.produce([
                world.letter("worn", redriven: 3), world.letter("homeless", homeless: true), world.letter("fresh", redriven: 2),
            ])
            let report = try await world.redrive().run(plan())
            #expect(report == .init(redriven: 1, exhausted: 1, homeless: 1))
            #expect(try await world.values("in") == ["fresh"])
            // A higher bound finds it again.
            #expect(try await world.redrive().run(plan(maxRedrives: 4)).redriven == 1)
        }
    }

    @Test func aLimitedRunIsContinuedByTheNext() async throws {
        try await LogWorld.with(partitions: 2) { world in
            try await world.log.produce((0..<20).map { world.letter("\($0)", from: Int32($0 % 2)) })
            #expect(try await world.redrive().run(plan(limit: 7)).redriven == 7)
            #expect(try await world.read("in").count == 7)
            #expect(try await world.redrive().run(plan()).redriven == 13)
            let byPartition = Array(stride(from: 0, to: 20, by: 2)) + Array(stride(from: 1, to: 20, by: 2))
            #expect(try await world.values("in") == byPartition.map { "\($0)" })
        }
    }

    /// The run dies between reading and committing, again and again; each time another process goes on.
    @Test func crashesNeitherLoseNorRepeatALetter() async throws {
        try await LogWorld.with { world in
            try await world.log.produce((0..<200).map { world.letter("\($0)", key: "k\($0 % 7)") })
            var done = 0
            for crashAfter in [1, 40, 90] {
                let process = try await LogWorld.open(world.folder)
                let running = Task {
                    try await world.redrive(on: process).run(plan(rate: 100)) { if $0 >= crashAfter { withUnsafeCurrentTask { $0?.cancel() } } }
                }
                await #expect(throws: (any Error).self) { try await running.value }
                await process.close()
                let now = try await world.read("in").count
                #expect(now > done && now < 200)
                done = now
            }
            #expect(try await world.redrive().run(plan()).redriven == 200 - done)
            #expect(try await world.values("in") == (0..<200).map { "\($0)" })
        }
    }

    @Test func lettersThatDieDuringARunAreLeftForTheNext() async throws {
        try await LogWorld.with { world in
            try await world.log.produce((0..<30).map { world.letter("\($0)") })
            let log = world.log
            let late = world.letter("late")
            let report = try await world.redrive().run(plan(rate: 1_000)) { _ in
                log.producer.send([late]) { _ in }
            }
            #expect(report.redriven == 30)
            #expect(try await world.values("in").contains("late") == false)
        }
    }

    @Test func theRateSpreadsTheLettersByTheClock() async throws {
        try await LogWorld.with { world in
            try await world.log.produce((0..<25).map { world.letter("\($0)") })
            let clock = ManualClock()
            let redrive = Redrive(log: world.log, letters: LogWorld.letters, group: "redrive.millrace.test", clock: clock)
            let running = Task {
                try await redrive.run(.init(filter: { _ in true }, maxRedrives: 3, rate: 100))
            }
            // Ten at once make a tenth of a second's worth at this rate.
            for sent in [10, 20] {
                await clock.waitForSleepers()
                #expect(try await world.read("in").count == sent)
                clock.advance(by: .milliseconds(99))
                #expect(clock.sleeperCount == 1)
                clock.advance(by: .milliseconds(1))
            }
            #expect(try await running.value.redriven == 25)
        }
    }

    @Test func aSecondRunAtTheSameTimeIsRefused() async throws {
        try await LogWorld.with(partitions: 2) { world in
            try await world.log.produce((0..<40).map { world.letter("\($0)", from: Int32($0 % 2)) })
            let clock = ManualClock()
            let first = Redrive(log: world.log, letters: LogWorld.letters, group: "redrive.millrace.test", clock: clock)
            let running = Task { try await first.run(.init(filter: { _ in true }, maxRedrives: 3, rate: 10)) }
            await clock.waitForSleepers()
            let other = try await LogWorld.open(world.folder)
            var second = world.redrive(on: other)
            second.patience = .seconds(1)
            let refused = Task { [second] in try await second.run(plan()) }
            await #expect(throws: Redrive<ContinuousClock>.AnotherRun.self) { _ = try await refused.value }
            running.cancel()
            _ = try? await running.value
            await other.close()
            // Whoever was refused, together they sent nothing twice.
            _ = try await world.redrive().run(plan())
            #expect(try await world.values("in").sorted() == (0..<40).map { "\($0)" }.sorted())
        }
    }

    /// Each of them waits for what the other has.
    @Test func ofRunsThatBeginTogetherOneWinsAndNothingGoesBackTwice() async throws {
        try await LogWorld.with(partitions: 4) { world in
            try await world.log.produce((0..<40).map { world.letter("\($0)", from: Int32($0 % 4)) })
            let logs = try await [LogWorld.open(world.folder), LogWorld.open(world.folder), LogWorld.open(world.folder)]
            let plan = plan()
            let sent = try await withThrowingTaskGroup(of: Int?.self) { group in
                for log in logs {
                    var redrive = world.redrive(on: log)
                    // Rebalances of the embedded log take up to its lease of a second.
                    redrive.patience = .seconds(6)
                    group.addTask { [redrive] in
                        do { return try await redrive.run(plan).redriven } catch is Redrive<ContinuousClock>.AnotherRun { return nil }
                    }
                }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            for log in logs { await log.close() }
            // One that lost its place on the way may have sent some of them before.
            #expect(sent.contains { $0 != nil }, "somebody won: \(sent)")
            #expect(try await world.values("in").sorted() == (0..<40).map { "\($0)" }.sorted())
        }
    }

    @Test func notesThatNoLongerFitStopTheRunBeforeAnythingIsForgotten() async throws {
        try await LogWorld.with { world in
            try await world.log.produce((0..<6_000).map { world.letter("\($0)", class: $0 % 2 == 0 ? "a" : "b") })
            await #expect(throws: Redrive<ContinuousClock>.NotesFull.self) {
                _ = try await world.redrive().run(plan(class: "a"))
            }
            _ = try await world.redrive().run(plan())
            let values = try await world.values("in")
            #expect(values.count == 6_000 && Set(values).count == 6_000)
        }
    }
}

@Suite struct LetterTests {
    private func filter(_ arguments: String...) throws -> LetterFilter { try LetterFilter.parse(arguments) }

    @Test func filtersTakeAllConditionsTogether() throws {
        let headers = Headers([
            Header("_dlq.errors.disposition", "MAX_ATTEMPTS"), Header("_dlq.errors.class", "timeout"),
            Header("_dlq.errors.original.topic", "in"),
        ])
        let letter = Letter(
            StoredRecord(
                source: TopicPartition(LogWorld.letters, 0), offset: 3, key: nil, value: nil, headers: headers,
                timestamp: LogWorld.written))
        #expect(letter.id == "0:3")
        #expect(letter.cause == .init(disposition: "MAX_ATTEMPTS", errorClass: "timeout", topic: "in"))
        #expect(try filter().matches(letter))
        #expect(try filter("--class", "timeout", "--disposition", "max_attempts", "--topic", "in").matches(letter))
        #expect(try !filter("--class", "other").matches(letter))
        #expect(try !filter("--class", "timeout", "--topic", "out").matches(letter))
        #expect(try filter("--since", RFC3339.string(LogWorld.written)).matches(letter))
        #expect(try !filter("--until", RFC3339.string(LogWorld.written)).matches(letter))
        #expect(throws: (any Error).self) { try filter("--since", "beginning") }
    }

    /// Whoever may write to a topic chooses its keys.
    @Test func aLongKeyIsCut() {
        let shown = Shown.key(Array(String(repeating: "é", count: 10_000).utf8))
        #expect(shown.unicodeScalars.count == 64 && shown.hasSuffix("…"))
        #expect(Shown.cell(String(repeating: "a\u{301}", count: 10_000)).unicodeScalars.count == 64)
        #expect(Shown.key(Array("700:group:abc".utf8)) == "700:group:abc")
    }

    @Test func whatIsShownHidesNumbersAndPayload() {
        var headers = Headers([Header("ce_partitionkey", "700100200300501:15550001111"), Header("bad", "a\u{1B}[2Jb\u{202E}c")])
        headers.append("_dlq.errors.class", "131047")
        let record = StoredRecord(
            source: TopicPartition(LogWorld.letters, 0), offset: 0, key: Array("700100200300501:15550001111".utf8),
            value: Array(#"{"text":"secret \#u{1B}"}"#.utf8), headers: headers, timestamp: LogWorld.written)
        let masked = DLQCommand.Show.description(of: record, inFull: false)
        #expect(!masked.contains("secret") && !masked.contains("15550001111") && masked.contains("···501:···111"))
        #expect(masked.contains("131047"))
        let full = DLQCommand.Show.description(of: record, inFull: true)
        #expect(full.contains("secret") && full.contains("15550001111"))
        #expect(!full.unicodeScalars.contains { $0 == "\u{1B}" || $0 == "\u{202E}" })
    }

    @Test func theHistogramCountsByCause() {
        var histogram = CauseHistogram()
        for (errorClass, count) in [("a", 1), ("b", 3)] {
            for _ in 0..<count {
                let headers = Headers([Header("_dlq.errors.class", errorClass), Header("_dlq.errors.original.topic", "in")])
                histogram.add(Letter(StoredRecord(
                    source: TopicPartition(LogWorld.letters, 0), offset: 0, key: nil, value: nil, headers: headers,
                    timestamp: LogWorld.written)))
            }
        }
        let rows = histogram.table.split(separator: "\n").map { $0.split(separator: " ", omittingEmptySubsequences: true) }
        #expect(rows.dropFirst().map { [$0[0], $0[2]] } == [["3", "b"], ["1", "a"]])
    }
}
