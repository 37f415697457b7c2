import EventLog
import EventLogTesting
import Synchronization
import Testing

@testable import Processing

/// Operators' orders about parked records, on the embedded log.
@Suite struct OperatorTests {
    private static let control: Topic = "control"

    /// Fails while the switch is on, hours between two tries.
    private final class Failing: Sendable {
        let isOn = Mutex(true)
        let journal = Journal()

        var processor: TestProcessor {
            TestProcessor(retry: RetryPolicy(base: .seconds(3_600), cap: .seconds(3_600), maxAge: .seconds(100_000))) {
                record, _ in
                if record.keyText == "bad", self.isOn.withLock({ $0 }) { throw HandlerFailure.transient("down", "") }
                self.journal.note(record)
                return [record.copy()]
            }
        }
    }

    private func withControl(_ body: (World) async throws -> Void) async throws {
        try await World.with { world in
            try await world.log.admin.createTopics([TopicSpec(Self.control, partitions: 1, retention: .delete(days: 1))])
            try await body(world)
        }
    }

    /// Repeats the order until its owner answers: a runtime that has just begun may not follow yet. The first answer
    /// counts: a copy of the order finds nothing left to do.
    private func give(_ action: ParkedOrder.Action, _ offsets: [Offset], in world: World) async throws -> Int {
        let order = ParkedOrder(
            id: "\(action)-\(offsets)", action: action, group: World.group, source: TopicPartition("in", 0),
            offsets: OffsetSet(offsets))
        var applied: Int?
        try await eventually("the order is answered") {
            var record = order.record(topic: Self.control)
            record.timestamp = World.start
            try await world.log.produce([record])
            applied = try await world.read(Self.control).compactMap(ParkedAnswer.init).first { $0.id == order.id }?.applied
            return applied != nil
        }
        return applied ?? 0
    }

    @Test func aReleasedRecordIsTriedAtOnceInTheOrderOfItsKey() async throws {
        try await withControl { world in
            let failing = Failing()
            let running = world.start(failing.processor) { $0.controlTopic = Self.control }
            try await world.write([("bad", "0"), ("good", "1"), ("bad", "2")])
            try await eventually("two are parked") { try await world.progress().parked.count == 2 }
            failing.isOn.withLock { $0 = false }
            // The second one waits behind the first, which is tried instead.
            #expect(try await give(.release, [2], in: world) == 1)
            try await world.waitUntilDone()
            try await running.stop()
            #expect(failing.journal.all == ["good:1", "bad:0", "bad:2"])
        }
    }

    @Test func aDroppedRecordIsADeadLetterAndItsKeyGoesOn() async throws {
        try await withControl { world in
            let failing = Failing()
            let running = world.start(failing.processor) { $0.controlTopic = Self.control }
            try await world.write([("bad", "0"), ("bad", "1"), ("bad", "2"), ("good", "3")])
            try await eventually("three are parked") { try await world.progress().parked.count == 3 }
            // One behind first: it is given up when its turn comes.
            #expect(try await give(.drop, [1], in: world) == 1)
            #expect(try await world.read(World.letters).isEmpty)
            failing.isOn.withLock { $0 = false }
            #expect(try await give(.drop, [0], in: world) == 1)
            try await world.waitUntilDone()
            try await running.stop()
            let letters = try await world.read(World.letters)
            #expect(letters.map(\.text) == ["bad:0", "bad:1"])
            #expect(letters.allSatisfy { $0.headers.string("_dlq.errors.class") == "operator" })
            #expect(letters.allSatisfy { $0.headers.string("_dlq.errors.disposition") == "REJECTED" })
            #expect(failing.journal.all == ["good:3", "bad:2"])
        }
    }

    @Test func whatIsNotParkedAndOtherGroupsAreLeftAlone() async throws {
        try await withControl { world in
            let failing = Failing()
            let running = world.start(failing.processor) { $0.controlTopic = Self.control }
            try await world.write([("bad", "0"), ("good", "1")])
            try await eventually("one is parked") { try await world.progress() == Progress(offset: 2, parked: OffsetSet([0])) }
            let foreign = ParkedOrder(
                id: "foreign", action: .drop, group: "millrace.other", source: TopicPartition("in", 0), offsets: OffsetSet([0]))
            var record = foreign.record(topic: Self.control)
            record.timestamp = World.start
            try await world.log.produce([record])
            #expect(try await give(.drop, [1, 77], in: world) == 0)
            #expect(try await world.progress().parked == OffsetSet([0]))
            #expect(try await world.read(Self.control).compactMap(ParkedAnswer.init).allSatisfy { $0.id != "foreign" })
            try await running.stop()
        }
    }

    @Test func aStoppedGroupsRecordIsDroppedByItsCommitAndALivingOnesIsNot() async throws {
        try await withControl { world in
            let failing = Failing()
            let running = world.start(failing.processor)
            try await world.write([("bad", "0"), ("bad", "1"), ("good", "2")])
            try await eventually("two are parked") { try await world.progress().parked.count == 2 }
            let parked = ParkedRecords(of: World.group, on: world.log)
            let source = TopicPartition("in", 0)
            let error = await #expect(throws: LogError.self) {
                try await parked.dropAtRest(OffsetSet([0]), of: source, now: World.start)
            }
            #expect(error?.code == .groupActive)
            #expect(try await world.read(World.letters).isEmpty)
            try await running.stop()
            #expect(try await parked.dropAtRest(OffsetSet([0, 2]), of: source, now: World.start) == 1)
            #expect(try await parked.progress()[source] == Progress(offset: 3, parked: OffsetSet([1])))
            #expect(try await world.read(World.letters).map(\.text) == ["bad:0"])
            failing.isOn.withLock { $0 = false }
            let again = world.start(failing.processor)
            try await world.waitUntilDone()
            try await again.stop()
            #expect(failing.journal.all == ["good:2", "bad:1"])
        }
    }

    @Test func ordersAndAnswersSurviveTheirRecords() throws {
        func stored(_ record: Record) -> StoredRecord {
            StoredRecord(
                source: TopicPartition(record.topic, 0), offset: 0, key: record.key, value: record.value,
                headers: record.headers, timestamp: World.start)
        }
        let order = ParkedOrder(
            id: "x", action: .drop, group: "g", source: TopicPartition("in", 3), offsets: OffsetSet([1, 2, 3, 9]))
        #expect(ParkedOrder(stored(order.record(topic: "c"))) == order)
        #expect(ParkedAnswer(stored(order.record(topic: "c"))) == nil)
        let answer = ParkedAnswer(id: "x", applied: 4)
        #expect(ParkedAnswer(stored(answer.record(topic: "c"))) == answer)
        for offsets in ["", "5-", "3-1", "a-b", "-1-2", "1-9223372036854775807"] {
            var broken = order.record(topic: "c")
            broken.headers.append("control.offsets", offsets)
            #expect(ParkedOrder(stored(broken))?.offsets.isEmpty ?? true)
        }
    }
}
