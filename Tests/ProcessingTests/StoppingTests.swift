import EventLog
import EventLogTesting
import SQLiteLog
import Synchronization
import ProcessorTesting
import Testing

@testable import Processing

@Suite struct StoppingTests {
    @Test func aGracefulStopFinishesWhatRuns() async throws {
        try await World.with { world in
            let clock = ManualClock()
            let gate = Gate()
            try await world.write((0..<20).map { ("k\($0)", "\($0)") })
            let runtime = world.start(
                TestProcessor(work: .concurrent(limit: 5)) { record, _ in
                    await gate.pass()
                    return [record.copy()]
                }, clock: clock)
            try await eventually("five run") { gate.waiting == 5 }
            async let stopped: Void = runtime.stop()
            try await eventually("the patience begins") { clock.nextDeadline?.sinceStart == .seconds(5) }
            gate.open()
            try await stopped
            #expect(try await world.read("out").count == 5)
            #expect(try await world.progress().offset == 5)
        }
    }

    @Test(arguments: [WorkMode.ordered, .concurrent(limit: 5)])
    func aGracefulStopHandsBackWhatDoesNotEnd(work: WorkMode) async throws {
        try await World.with { world in
            let clock = ManualClock()
            let gate = Gate()
            try await world.write([("fast", "0"), ("slow", "1"), ("fast", "2")])
            let runtime = world.start(
                TestProcessor(work: work) { record, _ in
                    if record.keyText == "slow" { await gate.pass() }
                    return [record.copy()]
                }, clock: clock)
            try await eventually("it hangs") { gate.waiting == 1 }
            let isStopped = Mutex(false)
            let stopping = Task {
                try await runtime.stop()
                isStopped.withLock { $0 = true }
            }
            try await eventually("the patience ends") {
                clock.advance(by: .seconds(1))
                return isStopped.withLock { $0 }
            }
            try await stopping.value
            gate.open()
            #expect(try await world.progress().offset <= 1)
            #expect(!(try await world.read("out").contains { $0.keyText == "slow" }))

            let next = world.start(TestProcessor(work: work) { record, _ in [record.copy()] })
            try await world.waitUntilDone()
            try await next.stop()
            #expect(Set(try await world.read("out").map(\.valueText)) == ["0", "1", "2"])
        }
    }

    @Test func aStopEndsEvenWhenTheLogTakesNothing() async throws {
        try await World.with { world in
            let clock = ManualClock()
            let faulty = FaultyLog(world.log, plan: .none)
            let handled = Journal()
            faulty.breakDown()
            try await world.write([("k", "1")])
            let runtime = world.start(
                TestProcessor { record, _ in
                    handled.note(record)
                    return [record.copy()]
                }, on: faulty, clock: clock)
            try await eventually("handled") { handled.all.count == 1 }
            let isStopped = Mutex(false)
            let stopping = Task {
                try await runtime.stop()
                isStopped.withLock { $0 = true }
            }
            try await eventually("the patience ends") {
                clock.advance(by: .seconds(1))
                return isStopped.withLock { $0 }
            }
            try await stopping.value
            #expect(try await world.progress() == Progress(offset: 0))
        }
    }

    @Test(arguments: [WorkMode.ordered, .concurrent(limit: 5)])
    func whatACrashLeftUncommittedIsHandledAgain(work: WorkMode) async throws {
        try await World.with { world in
            let faulty = FaultyLog(world.log, plan: .none)
            let handled = Journal()
            let processor = TestProcessor(work: work) { record, _ in
                handled.note(record)
                return [record.copy()]
            }
            try await world.write((0..<50).map { ("k\($0 % 5)", "\($0)") })
            faulty.breakDown()
            let first = world.start(processor, on: faulty)
            try await eventually("handled") { handled.all.count == 50 }
            await first.kill()
            #expect(try await world.progress() == Progress(offset: 0))
            let second = world.start(processor)
            try await world.waitUntilDone()
            try await second.stop()
            #expect(handled.all.count == 100)
            #expect(try await world.read("out").count == 50)
        }
    }

    /// Members come, go and die while records flow: nothing is lost, and each key's records first appear in order.
    @Test(arguments: [WorkMode.ordered, .concurrent(limit: 16)])
    func membersShareAndTakeOverUnderLoad(work: WorkMode) async throws {
        try await World.with(partitions: 4) { world in
            let processor = TestProcessor(work: work) { record, _ in
                let isUnlucky = record.valueText.hasSuffix("7") && Int.random(in: 0..<4) == 0
                if isUnlucky { throw HandlerFailure.transient("luck", "") }
                return [record.copy()]
            }
            var members = [world.start(processor)]
            var logs: [SQLiteLog] = []
            for round in 0..<6 {
                for part in 0..<10 {
                    let first = (round * 10 + part) * 50
                    try await world.write((0..<50).map { ("k\($0)", "\(first + $0)") })
                }
                if round.isMultiple(of: 2) {
                    let log = try await World.open(world.folder)
                    logs.append(log)
                    members.append(world.start(processor, on: log))
                } else if round == 1 {
                    await members.removeFirst().kill()
                } else {
                    try await members.removeFirst().stop()
                }
            }
            try await world.waitUntilDone()
            for member in members { try await member.stop() }
            for log in logs { await log.close() }
            let outputs = try await world.read("out")
            #expect(Set(outputs.map(\.valueText)).count == 3_000)
            #expect(DeliveryOracle.keysOutOfOrder(outputs).isEmpty)
        }
    }
}
