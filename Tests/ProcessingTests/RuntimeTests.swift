import EventLog
import EventLogTesting
import Synchronization
import ProcessorTesting
import Testing

@testable import Processing

@Suite struct RuntimeTests {
    private static let modes: [WorkMode] = [.ordered, .concurrent(limit: 8)]

    /// `count` records of `keys` keys in turn, values counting up.
    private func records(_ count: Int, keys: Int) -> [(key: String?, value: String)] {
        (0..<count).map { ("k\($0 % keys)", "\($0)") }
    }

    @Test(arguments: modes)
    func outputsAndProgressBecomeDurableInOrderOfEachKey(work: WorkMode) async throws {
        try await World.with(partitions: 3) { world in
            try await world.write(records(600, keys: 7))
            let runtime = world.start(TestProcessor(work: work) { record, _ in [record.copy()] })
            try await world.waitUntilDone()
            try await runtime.stop()
            let outputs = try await world.read("out")
            #expect(outputs.count == 600)
            #expect(DeliveryOracle.keysOutOfOrder(outputs).isEmpty)
        }
    }

    @Test func manyKeysAreHandledAtOnceButNeverTwoRecordsOfOne() async throws {
        try await World.with { world in
            let gate = Gate()
            let busy = Mutex<[String: Int]>([:])
            let worst = Mutex(0)
            try await world.write(records(60, keys: 20))
            let runtime = world.start(
                TestProcessor(work: .concurrent(limit: 8)) { record, _ in
                    let count = busy.withLock { busy in
                        busy[record.keyText, default: 0] += 1
                        return busy[record.keyText]!
                    }
                    worst.withLock { $0 = max($0, count) }
                    await gate.pass()
                    busy.withLock { $0[record.keyText]! -= 1 }
                    return []
                })
            try await eventually("eight wait") { gate.waiting == 8 }
            #expect(busy.withLock { $0.values.reduce(0, +) } == 8)
            gate.open()
            try await world.waitUntilDone()
            try await runtime.stop()
            #expect(worst.withLock { $0 } == 1)
        }
    }

    @Test func inputsOfOneKeyMeetInOneLane() async throws {
        try await World.with(partitions: 4) { world in
            let lanes = Mutex<[String: Set<Int32>]>([:])
            try await world.write(records(40, keys: 10), to: "in")
            try await world.write(records(40, keys: 10), to: "in2")
            let runtime = world.start(
                TestProcessor(inputs: ["in", "in2"]) { record, context in
                    lanes.withLock { _ = $0[record.keyText, default: []].insert(context.partition) }
                    return []
                })
            try await world.waitUntilDone("in")
            try await world.waitUntilDone("in2")
            try await runtime.stop()
            #expect(lanes.withLock { $0.values.allSatisfy { $0.count == 1 } && $0.count == 10 })
        }
    }

    @Test func aBatchEndsWithOneOutputForItsRecords() async throws {
        try await World.with { world in
            try await world.write(records(100, keys: 3))
            var processor = TestProcessor { _, _ in [] }
            processor.atEnd = { records, _ in
                [Record(topic: "out", key: nil, value: Array("\(records.count)".utf8))]
            }
            let runtime = world.start(processor) { $0.maxBatchRecords = 30 }
            try await world.waitUntilDone()
            try await runtime.stop()
            let sizes = try await world.read("out").compactMap { Int($0.valueText) }
            #expect(sizes.reduce(0, +) == 100)
            #expect(sizes.count >= 4 && sizes.allSatisfy { $0 <= 30 })
        }
    }

    @Test func aBatchThatFailsIsHandledAgainRecordByRecord() async throws {
        try await World.with { world in
            try await world.write((0..<20).map { ("k\($0)", "\($0)") })
            var processor = TestProcessor { record, _ in [record.copy()] }
            processor.atEnd = { records, _ in
                if records.contains(where: { $0.valueText == "7" }) { throw HandlerFailure.permanent("bad", "seven") }
                return []
            }
            let runtime = world.start(processor)
            try await world.waitUntilDone()
            try await runtime.stop()
            #expect(try await world.read(World.letters).map(\.valueText) == ["7"])
            let others = Set((0..<20).map(String.init)).subtracting(["7"])
            #expect(Set(try await world.read("out").map(\.valueText)) == others)
        }
    }

    @Test func anOutputThatCanNeverBeWrittenCondemnsItsCauseAlone() async throws {
        try await World.with { world in
            try await world.write(records(30, keys: 5))
            let runtime = world.start(
                TestProcessor { record, _ in
                    var output = record.copy()
                    if record.valueText == "11" { output.value = [UInt8](repeating: 0, count: 20_000) }
                    return [output]
                })
            try await world.waitUntilDone()
            try await runtime.stop()
            let letters = try await world.read(World.letters)
            #expect(letters.map(\.valueText) == ["11"])
            #expect(letters.first?.headers.string("_dlq.errors.class") == "output-recordTooLarge")
            #expect(Set(try await world.read("out").map(\.valueText)).count == 29)
        }
    }

    @Test func aGroupIsBornOnPurpose() async throws {
        try await World.with { world in
            try await world.write(records(5, keys: 1))
            let handled = Journal()
            var processor = TestProcessor { record, _ in
                handled.note(record)
                return []
            }
            processor.name = "unborn"
            try await world.log.admin.createTopics([
                TopicSpec(ProcessorRuntimeConfiguration().deadLetters(of: processor), partitions: 1, retention: .delete(days: 1))
            ])
            await #expect(throws: LogError.self) { try await world.start(processor).end() }
            #expect(handled.all.isEmpty)

            let late = world.start(processor) { $0.start = .latest }
            let source = TopicPartition("in", 0)
            try await eventually("the birth is committed") {
                try await world.log.admin.commits(of: "millrace.\(processor.name)", in: [source])[source]?.offset == 5
            }
            try await world.write([("k", "new")])
            try await eventually("only what came later") { handled.all == ["k:new"] }
            try await late.stop()
        }
    }

    /// Two installations on one log: group, progress and dead letters are the installation's.
    @Test func aGroupBelongsToItsInstallation() async throws {
        try await World.with { world in
            try await world.write(records(3, keys: 1))
            try await world.log.admin.createTopics([
                TopicSpec("dlq.millrace.acme.test", partitions: 1, retention: .delete(days: 1))
            ])
            let processor = TestProcessor { record, _ in throw HandlerFailure.permanent("no", "") }
            let running = world.start(processor) { $0.installation = "millrace.acme"; $0.start = .earliest }
            let source = TopicPartition("in", 0)
            try await eventually("the installation's group has passed") {
                try await world.log.admin.commits(of: "millrace.acme.test", in: [source])[source]?.offset == 3
            }
            try await running.stop()
            let letters = try await world.read("dlq.millrace.acme.test")
            #expect(letters.count == 3)
            #expect(letters.allSatisfy { $0.headers.string("_dlq.errors.group") == "millrace.acme.test" })
            #expect(try await world.read("dlq.millrace.test").isEmpty)
            #expect(try await world.log.admin.commits(of: "millrace.test", in: [source])[source]?.offset ?? 0 == 0)
        }
    }

    @Test func aProcessorWhoseTopicsDoNotFitIsRefused() async throws {
        try await World.with(partitions: 2) { world in
            try await world.log.admin.createTopics([TopicSpec("odd", partitions: 3, retention: .delete(days: 1))])
            let processor = TestProcessor(inputs: ["in", "odd"]) { _, _ in [] }
            let mismatch = await #expect(throws: LogError.self) { try await world.start(processor).end() }
            #expect(mismatch?.code == .topicMismatch)
            var homeless = TestProcessor { _, _ in [] }
            homeless.name = "without-dead-letters"
            let unknown = await #expect(throws: LogError.self) { try await world.start(homeless).end() }
            #expect(unknown?.code == .unknownTopic)
        }
    }

    @Test(arguments: modes)
    func aLogThatFailsNowAndThenLosesNothingAndKeepsTheOrder(work: WorkMode) async throws {
        try await World.with { world in
            let plan = FaultPlan(
                seed: 7, refusedProduces: 0.2, lostProduceAnswers: 0.2, refusedCommits: 0.2, lostCommitAnswers: 0.2)
            let faulty = FaultyLog(world.log, plan: plan)
            let runtime = world.start(TestProcessor(work: work) { record, _ in [record.copy()] }, on: faulty) {
                $0.maxBatchRecords = 5
            }
            for part in 0..<10 {
                try await world.write((0..<20).map { ("k\($0 % 4)", "\(part * 20 + $0)") })
                try await world.waitUntilDone()
            }
            try await runtime.stop()
            #expect(faulty.injected > 0)
            let outputs = try await world.read("out")
            #expect(Set(outputs.map(\.valueText)).count == 200)
            #expect(DeliveryOracle.keysOutOfOrder(outputs).isEmpty)
        }
    }

    @Test(arguments: modes)
    func aLogThatTakesNothingStopsTheLaneAtItsBound(work: WorkMode) async throws {
        try await World.with { world in
            let faulty = FaultyLog(world.log, plan: .none)
            let handled = Journal()
            try await world.write(records(1_000, keys: 10))
            faulty.breakDown()
            let runtime = world.start(
                TestProcessor(work: work) { record, _ in
                    handled.note(record)
                    return [record.copy()]
                }, on: faulty
            ) { $0.maxLaneRecords = 100 }
            // One more event of the consumer (500 records) may be on its way when the lane is full.
            try await eventually("the lane is full") { handled.all.count >= 100 }
            for _ in 0..<20 { try await Task.sleep(for: .milliseconds(5)) }
            #expect(handled.all.count <= 600)
            faulty.repair()
            try await world.waitUntilDone()
            try await runtime.stop()
            #expect(try await world.read("out").count == 1_000)
        }
    }
}
