import EventLog
import EventLogTesting
import Synchronization
import Testing

@testable import Processing

@Suite struct InputTests {
    /// The main record waits an hour for its evidence; the side record of its key brings it and wakes it.
    @Test(arguments: [WorkMode.ordered, .concurrent(limit: 4)])
    func aSideRecordPassesAParkedOneOfItsKeyAndWakesIt(work: WorkMode) async throws {
        try await World.with { world in
            var processor = TestProcessor { record, context in
                if try await context.state.value(record.keyText) == nil {
                    throw HandlerFailure.transient("unknown", "", retryAfter: .seconds(3_000))
                }
                return [record.copy()]
            }
            processor.work = work
            processor.state = .local
            processor.sideInputs = ["in2"]
            processor.atSide = { record, context in
                try await context.state.set(record.keyText, to: [1], expires: nil)
                let isOther = record.valueText == "other"
                return SideAnswer(
                    outputs: [record.copy()], wakes: [Wake(key: record.key!, errorClass: isOther ? "other" : "unknown")])
            }
            try await world.write([("k", "0"), ("k", "1"), ("l", "2")])
            let clock = ManualClock()
            let runtime = world.start(processor, clock: clock)
            try await eventually("parked") { try await world.progress() == Progress(offset: 3, parked: [0, 1, 2]) }
            try await world.write([("k", "status"), ("l", "other")], to: "in2")
            try await eventually("its line is done, the other one was not meant") {
                try await world.progress() == Progress(offset: 3, parked: [2])
            }
            try await world.waitUntilDone("in2")
            try await runtime.stop()
            #expect(Set(try await world.read("out").map(\.valueText)) == ["status", "other", "0", "1"])
        }
    }

    @Test func sideRecordsFlowWhileTheMainPartitionIsFull() async throws {
        try await World.with { world in
            var processor = TestProcessor { _, _ in throw HandlerFailure.transient("down", "", retryAfter: .seconds(600)) }
            processor.sideInputs = ["in2"]
            processor.atSide = { record, context in
                if context.attempt == 1, record.valueText == "3" { throw HandlerFailure.transient("once", "") }
                return SideAnswer(outputs: [record.copy()])
            }
            try await world.write((0..<100).map { ("k", "\($0)") })
            let runtime = world.start(processor) {
                $0.maxParkedRecords = 10
                $0.maxLaneRecords = 50
            }
            try await eventually("it is full") { try await world.progress().parked.count == 10 }
            try await world.write((0..<20).map { ("k", "\($0)") }, to: "in2")
            try await world.waitUntilDone("in2")
            try await runtime.stop()
            #expect(try await world.read("out").map(\.valueText) == (0..<20).map(String.init))
        }
    }

    @Test func broadcastInputsAreReadWholeByEveryInstanceBeforeTheFirstRecord() async throws {
        try await World.with(partitions: 3) { world in
            try await world.write((0..<700).map { ("k\($0 % 20)", "\($0)") }, to: "in2")
            try await world.write([("k", "record")])
            let seen = Journal()
            let atFirst = Mutex<Int?>(nil)
            func processor(_ journal: Journal) -> TestProcessor {
                var processor = TestProcessor { record, _ in
                    atFirst.withLock { $0 = $0 ?? journal.all.count }
                    return [record.copy()]
                }
                processor.broadcastInputs = [BroadcastInput("in2")]
                processor.atBroadcast = { record in
                    if record.valueText == "bad" { throw HandlerFailure.permanent("bad", "") }
                    if journal.note(record) == 1, record.valueText == "5" { throw HandlerFailure.transient("once", "") }
                }
                return processor
            }
            let first = world.start(processor(seen))
            try await world.waitUntilDone()
            #expect(atFirst.withLock { $0 } == 701)
            let others = Journal()
            let second = world.start(processor(others))
            try await world.write([("k", "bad"), ("k", "later")], to: "in2")
            for journal in [seen, others] {
                try await eventually("both learn of all") { Set(journal.all).count == 701 }
                #expect(journal.count("k:later") == 1)
            }
            try await first.stop()
            try await second.stop()
        }
    }

    @Test func anEmptyBroadcastInputHoldsNobodyUp() async throws {
        try await World.with { world in
            var processor = TestProcessor { record, _ in [record.copy()] }
            processor.broadcastInputs = [BroadcastInput("in2", maxAge: .seconds(60))]
            try await world.write([("k", "0")])
            let runtime = world.start(processor)
            try await world.waitUntilDone()
            try await runtime.stop()
        }
    }

    @Test func aProcessorIsToldWhichPartitionsAreItsOwnBeforeTheirFirstRecord() async throws {
        try await World.with(partitions: 4) { world in
            let told = Mutex<[[Set<Int32>]]>([[], []])
            let early = Journal()
            func processor(_ number: Int) -> TestProcessor {
                var processor = TestProcessor { record, context in
                    let owned = told.withLock { $0[number].last ?? [] }
                    if !owned.contains(context.partition) { early.note(record) }
                    return [record.copy()]
                }
                processor.atPartitions = { owned, total in
                    #expect(total == 4)
                    told.withLock { $0[number].append(owned) }
                }
                return processor
            }
            try await world.write((0..<40).map { ("k\($0)", "\($0)") })
            let first = world.start(processor(0))
            try await world.waitUntilDone()
            #expect(told.withLock { $0[0].last } == [0, 1, 2, 3])
            let second = world.start(processor(1))
            try await eventually("they share") {
                told.withLock { told in
                    let (one, two) = (told[0].last ?? [], told[1].last ?? [])
                    return one.count == 2 && two.count == 2 && one.isDisjoint(with: two)
                }
            }
            try await second.stop()
            #expect(told.withLock { $0[1].last } == [])
            try await eventually("all is the first one's again") { told.withLock { $0[0].last?.count } == 4 }
            try await first.stop()
            #expect(early.all.isEmpty)
        }
    }

    /// A crowd of one input waits for something; the other's records pass, whatever their number.
    @Test func inputsDoNotHoldEachOtherUp() async throws {
        try await World.with { world in
            let gate = Gate()
            var processor = TestProcessor { record, _ in
                if record.topic == "in2" { await gate.pass() }
                return [record.copy()]
            }
            processor.inputs = ["in", "in2"]
            processor.work = .concurrent(limit: 4)
            try await world.write((0..<200).map { ("bulk\($0)", "\($0)") }, to: "in2")
            let runtime = world.start(processor) { $0.maxLaneRecords = 40 }
            try await eventually("all hands of the one are busy") { gate.waiting == 4 }
            try await world.write((0..<200).map { ("reply\($0)", "\($0)") })
            try await world.waitUntilDone("in")
            #expect(gate.waiting == 4)
            #expect(try await world.read("out").count == 200)
            gate.open()
            try await world.waitUntilDone("in2")
            try await runtime.stop()
        }
    }

    /// The key's records of both inputs are handled one after the other.
    @Test func aKeyOfTwoInputsIsHandledByOneHandAtATime() async throws {
        try await World.with { world in
            let busy = Mutex<Set<String>>([])
            let overlaps = Journal()
            var processor = TestProcessor { record, _ in
                if !busy.withLock({ $0.insert(record.keyText).inserted }) { overlaps.note(record) }
                await Task.yield()
                busy.withLock { _ = $0.remove(record.keyText) }
                return [record.copy()]
            }
            processor.inputs = ["in", "in2"]
            processor.work = .concurrent(limit: 8)
            for round in 0..<20 {
                try await world.write((0..<5).map { ("k\($0)", "\(round)") }, to: round % 2 == 0 ? "in" : "in2")
            }
            let runtime = world.start(processor)
            try await world.waitUntilDone("in")
            try await world.waitUntilDone("in2")
            try await runtime.stop()
            #expect(overlaps.all.isEmpty)
            #expect(try await world.read("out").count == 100)
        }
    }
}
