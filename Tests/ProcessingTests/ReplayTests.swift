import EventLog
import EventLogTesting
import Logging
import Synchronization
import Testing

@testable import Processing

@Suite struct ReplayTests {
    /// A processor that answers every record, counts in its state, and fails as its records say.
    private func processor(_ journal: Journal, state: StateMode = .none) -> TestProcessor {
        TestProcessor(retry: RetryPolicy(base: .milliseconds(1), maxAttempts: 3), state: state) { record, context in
            if record.valueText == "bad" { throw HandlerFailure.permanent("bad", "") }
            if record.valueText == "shaky", context.attempt < 3 { throw HandlerFailure.transient("shaky", "") }
            if state != .none {
                let count = try await context.state.value("n")?.first ?? 0
                try await context.state.set("n", to: [count + 1], expires: nil)
                journal.note("\(count + 1)")
            } else {
                journal.note(record)
            }
            return [record.copy()]
        }
    }

    private func replay(
        _ processor: TestProcessor, in world: World, _ range: Range<Offset>, group: String? = nil, effects: Bool = false,
        patience: Duration = .milliseconds(300), stopAfter records: Int64 = .max
    ) async throws -> ReplayProgress {
        let last = Mutex(ReplayProgress())
        let plan = Replay.Plan(
            ranges: { partitions throws(LogError) in
                var ranges: [TopicPartition: Range<Offset>] = [:]
                for partition in partitions { ranges[partition] = range }
                return ranges
            }, group: group, effects: effects)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        let replay = Replay(
            of: processor, on: world.log, plan,
            configuration: ProcessorRuntimeConfiguration(
                stateDirectory: world.folder + "/replay-\(group ?? "none")", maxBatchRecords: 10, maxLaneRecords: 20),
            patience: patience, logger: logger, tell: { progress in last.withLock { $0 = progress } })
        try await replay.run()
        return last.withLock { $0 }
    }

    @Test func theRangeIsHandledInOrderAndNothingElseChanges() async throws {
        try await World.with { world in
            try await world.write((0..<200).map { ("k\($0 % 5)", "\($0)") })
            let journal = Journal()
            let progress = try await replay(processor(journal), in: world, 20..<150)
            #expect(journal.all == (20..<150).map { "k\($0 % 5):\($0)" })
            #expect(progress == ReplayProgress(offsets: 130, finished: 130, outputs: 130))
            #expect(try await world.read("out").isEmpty)
            #expect(try await world.progress() == Progress(offset: 0))
            #expect(try await world.log.admin.groups().allSatisfy { $0.members.isEmpty })
        }
    }

    @Test func itsLogLinesDoNotCarryTheLiveGroupsName() async throws {
        try await World.with { world in
            func group(_ mode: ProcessorRuntimeConfiguration.Mode) -> String? {
                var configuration = ProcessorRuntimeConfiguration(stateDirectory: world.folder)
                configuration.mode = mode
                let runtime = ProcessorRuntime(
                    processor: processor(Journal()), log: world.log, configuration: configuration, clock: ContinuousClock(),
                    wallTime: { World.start }, logger: Logger(label: "test"))
                return runtime.context.logger[metadataKey: LogKey.group].map { "\($0)" }
            }
            #expect(group(.live) == World.group)
            #expect(group(.replay(effects: false)) == "replay of \(World.group)")
        }
    }

    @Test func theLiveGroupGoesOnMeanwhile() async throws {
        try await World.with { world in
            try await world.write((0..<50).map { ("k", "\($0)") })
            let live = Journal()
            let running = world.start(processor(live))
            try await world.waitUntilDone()
            _ = try await replay(processor(Journal()), in: world, 0..<50)
            try await world.write([("k", "50")])
            try await world.waitUntilDone()
            try await running.stop()
            #expect(live.all == (0...50).map { "k:\($0)" })
            #expect(try await world.read("out").count == 51)
        }
    }

    @Test func withEffectsOutputsAndDeadLettersAreWritten() async throws {
        try await World.with { world in
            try await world.write([("a", "1"), ("a", "bad"), ("a", "2")])
            let withheld = try await replay(processor(Journal()), in: world, 0..<3)
            #expect((withheld.outputs, withheld.deadLetters) == (2, 1))
            #expect(try await world.read(World.letters).isEmpty)
            let written = try await replay(processor(Journal()), in: world, 0..<3, effects: true)
            #expect((written.outputs, written.deadLetters) == (2, 1))
            #expect(try await world.read("out").map(\.valueText) == ["1", "2"])
            #expect(try await world.read(World.letters).map(\.valueText) == ["bad"])
        }
    }

    @Test func aPassingFailureIsRetriedAndALastingOneIsLeft() async throws {
        try await World.with { world in
            try await world.write([("a", "shaky"), ("a", "1"), ("b", "2")])
            let journal = Journal()
            let progress = try await replay(processor(journal), in: world, 0..<3)
            #expect(progress == ReplayProgress(offsets: 3, finished: 3, outputs: 3))
            #expect(journal.all.filter { $0.hasPrefix("a") } == ["a:shaky", "a:1"])
            // Fails for longer than the replay is patient.
            let stubborn = TestProcessor(retry: RetryPolicy(base: .seconds(300))) { record, _ in
                if record.keyText == "a" { throw HandlerFailure.transient("down", "") }
                return [record.copy()]
            }
            let left = try await replay(stubborn, in: world, 0..<3)
            #expect(left.parked == 2 && left.outputs == 1 && left.finished == 3)
        }
    }

    @Test func stateBeginsEmptyAndApartFromTheLiveOne() async throws {
        try await World.with { world in
            try await world.write((0..<4).map { ("k", "\($0)") })
            let live = Journal()
            let running = world.start(processor(live, state: .rebuiltFromInputs))
            try await world.waitUntilDone()
            let replayed = Journal()
            _ = try await replay(processor(replayed, state: .rebuiltFromInputs), in: world, 1..<4)
            #expect(replayed.all == ["1", "2", "3"])
            try await world.write([("k", "4")])
            try await world.waitUntilDone()
            try await running.stop()
            #expect(live.all == ["1", "2", "3", "4", "5"])
        }
    }

    @Test func aNamedReplayGoesOnWhereItStopped() async throws {
        try await World.with { world in
            try await world.write((0..<6).map { ("k", "\($0)") })
            let journal = Journal()
            _ = try await replay(processor(journal, state: .rebuiltFromInputs), in: world, 0..<3, group: "copy")
            let second = try await replay(processor(journal, state: .rebuiltFromInputs), in: world, 0..<6, group: "copy")
            #expect(journal.all == ["1", "2", "3", "4", "5", "6"])
            #expect(second.finished == 6 && second.outputs == 3)
            let source = TopicPartition("in", 0)
            #expect(try await world.log.admin.commits(of: "copy", in: [source])[source]?.offset == 6)
        }
    }

    @Test func anEmptyRangeEndsAtOnceAndAllPartitionsAreRead() async throws {
        try await World.with(partitions: 3) { world in
            let empty = try await replay(processor(Journal()), in: world, 0..<0)
            #expect(empty == ReplayProgress())
            try await world.write((0..<300).map { ("k\($0)", "\($0)") })
            let marks = try await world.log.admin.watermarks(of: world.log.admin.partitions(of: "in"))
            let shortest = try #require(marks.values.map(\.high).min())
            let journal = Journal()
            let progress = try await replay(processor(journal), in: world, 0..<shortest)
            #expect(progress.finished == 3 * shortest && Int64(journal.all.count) == 3 * shortest)
        }
    }

    /// Neither the live disk nor the state's topic is read or written.
    @Test func stateThatSurvivesIsNotTheReplays() async throws {
        try await World.with { world in
            try await world.write((0..<4).map { ("k", "\($0)") })
            let live = Journal()
            let running = world.start(processor(live, state: .surviving(.all)))
            try await world.waitUntilDone()
            let before = try await world.read(World.state).map(\.offset)
            for effects in [false, true] {
                let replayed = Journal()
                _ = try await replay(processor(replayed, state: .surviving(.all)), in: world, 1..<4, group: "r\(effects)", effects: effects)
                #expect(replayed.all == ["1", "2", "3"])
            }
            #expect(try await world.read(World.state).map(\.offset) == before)
            try await world.write([("k", "4")])
            try await world.waitUntilDone()
            try await running.stop()
            #expect(live.all == ["1", "2", "3", "4", "5"])
        }
    }

    @Test(arguments: [false, true])
    func effectsBeginOnlyWhenAskedFor(effects: Bool) async throws {
        try await World.with { world in
            try await world.write((0..<4).map { ("k", "\($0)") })
            let acted = Journal()
            var processor = TestProcessor { record, context in
                if record.valueText == "2" { return [record.copy()] }
                try await context.beginEffect()
                acted.note(record)
                return [record.copy()]
            }
            processor.effects = .marked
            let progress = try await replay(processor, in: world, 0..<4, effects: effects)
            #expect(progress == ReplayProgress(offsets: 4, finished: 4, outputs: effects ? 4 : 1))
            #expect(acted.all == (effects ? ["k:0", "k:1", "k:3"] : []))
            #expect(try await world.progress() == Progress(offset: 0))
        }
    }
}
