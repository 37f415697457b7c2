import EventLog
import EventLogTesting
import Synchronization
import Testing

import class Foundation.FileManager

@testable import Processing

@Suite struct StateTests {
    /// Counts the records of each key and puts `key value count` out.
    private func counter(_ state: StateMode, _ work: WorkMode = .ordered) -> TestProcessor {
        var processor = TestProcessor { record, context in
            let count = (try await context.state.value(record.keyText)?.first ?? 0) + 1
            try await context.state.set(record.keyText, to: [count], expires: nil)
            if record.valueText == "fails", context.attempt == 1 { throw HandlerFailure.transient("once", "") }
            return [Record(topic: "out", key: record.key, value: Array("\(record.valueText)=\(count)".utf8))]
        }
        processor.work = work
        processor.state = state
        return processor
    }

    private func forget(_ world: World) throws { try FileManager.default.removeItem(atPath: world.folder + "/state") }

    /// So many records of a hundred keys are handled, then the state is lost.
    private func handleAndForget(_ records: Int, _ world: World) async throws {
        try await world.write((0..<records).map { ("k\($0 % 100)", "\($0)") })
        let first = world.start(counter(.rebuiltFromInputs))
        try await world.waitUntilDone()
        try await first.stop()
        try forget(world)
    }

    private func outputs(_ world: World) async throws -> [String] { try await world.read("out").map(\.valueText) }

    @Test(arguments: [WorkMode.ordered, .concurrent(limit: 4)], [StateMode.local, .rebuiltFromInputs])
    func stateIsSeenAtOnceAndOutlivesTheRuntime(work: WorkMode, state: StateMode) async throws {
        try await World.with { world in
            try await world.write((0..<5).map { ("k", "\($0)") })
            let first = world.start(counter(state, work))
            try await world.waitUntilDone()
            try await first.stop()
            try await world.write([("k", "5")])
            let second = world.start(counter(state, work))
            try await world.waitUntilDone()
            try await second.stop()
            #expect(try await outputs(world) == ["0=1", "1=2", "2=3", "3=4", "4=5", "5=6"])
        }
    }

    @Test(arguments: [WorkMode.ordered, .concurrent(limit: 4)])
    func aHandlerThatThrowsLeavesNoTrace(work: WorkMode) async throws {
        try await World.with { world in
            try await world.write([("k", "a"), ("k", "fails"), ("k", "b")])
            let runtime = world.start(counter(.local, work))
            try await world.waitUntilDone()
            try await runtime.stop()
            #expect(try await outputs(world) == ["a=1", "fails=2", "b=3"])
        }
    }

    @Test func lostStateIsRebuiltFromTheInputsWithoutOutputs() async throws {
        try await World.with { world in
            try await handleAndForget(1_200, world)
            let second = world.start(counter(.rebuiltFromInputs))
            try await world.write([("k0", "new")])
            try await world.waitUntilDone()
            try await second.stop()
            let outputs = try await outputs(world)
            #expect(outputs.count == 1_201)
            #expect(outputs.last == "new=13")
        }
    }

    /// Whoever takes over in the middle of it would write the outputs a second time.
    @Test func theGroupKnowsNoLessWhileStateIsRebuilt() async throws {
        try await World.with { world in
            try await handleAndForget(1_200, world)
            let commits = Commits()
            let second = world.start(counter(.rebuiltFromInputs), observer: commits) { $0.maxBatchRecords = 100 }
            try await world.write([("k0", "new")])
            try await world.waitUntilDone()
            try await second.stop()
            let told = commits.offsets
            #expect(told.last == 1_201)
            #expect(told.allSatisfy { $0 >= 1_200 })
        }
    }

    @Test func lostLocalStateIsNotRebuiltByHandlingAgain() async throws {
        try await World.with { world in
            try await world.write((0..<5).map { ("k", "\($0)") })
            let first = world.start(counter(.local))
            try await world.waitUntilDone()
            try await first.stop()
            try forget(world)
            try await world.write([("k", "new")])
            let second = world.start(counter(.local))
            try await world.waitUntilDone()
            try await second.stop()
            #expect(try await outputs(world).dropFirst(5) == ["new=1"])
        }
    }

    /// A crash between the state's transaction and the group's commit.
    @Test(arguments: [StateMode.local, .rebuiltFromInputs])
    func whatTheStateContainsIsNotAppliedAgain(state: StateMode) async throws {
        try await World.with { world in
            let faulty = FaultyLog(world.log, plan: FaultPlan(seed: 1, refusedCommits: 1))
            try await world.write((0..<5).map { ("k", "\($0)") })
            let first = world.start(counter(state), on: faulty)
            try await eventually("the state has them") {
                try await outputs(world).count == 5 && faulty.injected > 0
            }
            await first.kill()
            #expect(try await world.progress() == Progress(offset: 0))
            try await world.write([("k", "5")])
            let second = world.start(counter(state))
            try await world.waitUntilDone()
            try await second.stop()
            let all = try await outputs(world)
            #expect(all.last == "5=6")
            #expect(all.count == Set(all).count)
        }
    }

    @Test func stateIsNotWrittenBeforeItsOutputs() async throws {
        try await World.with { world in
            let faulty = FaultyLog(world.log, plan: .none)
            let handled = Journal()
            var processor = counter(.local)
            let count = processor.handler
            processor.handler = { record, context in
                handled.note(record)
                return try await count(record, context)
            }
            faulty.breakDown()
            try await world.write([("k", "1")])
            let runtime = world.start(processor, on: faulty)
            try await eventually("its output was refused") { handled.all.count == 1 && faulty.injected > 0 }
            await runtime.kill()
            let state = try await SQLiteStateStore.open(world.folder + "/state/millrace.test/0.db")
            #expect(try await state.value("k") == nil)
            #expect(try await state.progress()["in", default: Progress(offset: 0)].offset == 0)
        }
    }

    @Test func anOwnerThatWasSupersededWritesNothingMore() async throws {
        try await World.with { world in
            let gate = Gate()
            var processor = counter(.local)
            let count = processor.handler
            processor.handler = { record, context in
                if record.valueText == "slow" { await gate.pass() }
                return try await count(record, context)
            }
            try await world.write([("k", "slow")])
            let zombie = world.start(processor)
            try await eventually("it waits") { gate.waiting == 1 }
            let successor = try await SQLiteStateStore.open(world.folder + "/state/millrace.test/0.db")
            gate.open()
            try await eventually("its output was written") { try await outputs(world).count == 1 }
            await zombie.kill()
            #expect(try await successor.value("k") == nil)
            #expect(try await world.progress() == Progress(offset: 0))
        }
    }

    @Test func aProcessorWithoutStateCannotWriteAny() async throws {
        try await World.with { world in
            try await world.write([("k", "1")])
            let runtime = world.start(counter(.none))
            try await world.waitUntilDone()
            try await runtime.stop()
            #expect(try await world.read(World.letters).count == 1)
        }
    }
}

/// How far the group's progress went, commit by commit.
private final class Commits: ProcessorObserver {
    private let told = Mutex<[Offset]>([])
    var offsets: [Offset] { told.withLock { $0 } }
    func progressed(_ partition: TopicPartition, to offset: Offset, parked: Int, oldest: Timestamp?) {
        told.withLock { $0.append(offset) }
    }
    func received(_ records: Int, from partition: TopicPartition) {}
    func handled(_ partition: TopicPartition, _ outcome: HandlingOutcome, took: [Duration]) {}
    func produced(_ records: Int) {}
    func stuck(_ partition: TopicPartition) {}
    func released(_ partition: TopicPartition) {}
}
