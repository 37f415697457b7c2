import EventLog
import Foundation
import KafkaLog
import Testing

@Suite struct ProducerTests {
    @Test func recordsOfACallAreDurableInOrder() async throws {
        let on = try await MockLog(["t": 1])
        let first = try await on.log.produce((0..<100).map { record("t", "\($0)") })
        let second = try await on.log.produce((100..<200).map { record("t", "\($0)") })
        #expect(first + second == (0..<200).map { RecordPosition(TopicPartition("t", 0), $0) })
        let reader = try await on.log.reader()
        let read = try await reader.read(TopicPartition("t", 0), from: 0, maxRecords: 200, waitingUpTo: .seconds(10))
        #expect(text(read) == (0..<200).map(String.init))
        await on.log.close()
    }

    @Test func callsOfOneThreadKeepTheirOrder() async throws {
        let on = try await MockLog(["t": 1])
        async let all = withCheckedContinuation { (done: CheckedContinuation<[Offset], Never>) in
            let answers = Answers(count: 500) { done.resume(returning: $0) }
            for index in 0..<500 {
                on.log.producer.send([record("t", "\(index)")]) { answers.put(index, $0) }
            }
        }
        #expect(await all == (0..<500).map { Offset($0) })
        await on.log.close()
    }

    @Test func everythingOfARecordComesBack() async throws {
        let on = try await MockLog(["t": 1])
        let headers = Headers([
            Header("a", "1"), Header("bytes", [0, 255, 10]), Header("null", nil), Header("empty", []), Header("a", "2"),
        ])
        let written = [
            Record(
                topic: "t", partition: 0, key: [0, 1], value: [], headers: headers,
                timestamp: Timestamp(milliseconds: 1_234)),
            Record(topic: "t", partition: 0, key: [], value: nil),
            Record(topic: "t", partition: 0, key: nil, value: [9]),
        ]
        try await on.log.produce(written)
        let reader = try await on.log.reader()
        let read = try await reader.read(TopicPartition("t", 0), from: 0, maxRecords: 3, waitingUpTo: .seconds(10))
        #expect(read.map(\.key) == written.map(\.key))
        #expect(read.map(\.value) == written.map(\.value))
        #expect(read.map(\.headers) == written.map(\.headers))
        #expect(read.first?.timestamp == Timestamp(milliseconds: 1_234))
        await on.log.close()
    }

    @Test func whatTheCallerDoesWithARecordAfterwardsChangesNothing() async throws {
        let on = try await MockLog(["t": 1])
        try await on.log.produce([record("t", "before")])
        // Held up, so that the records are still to be sent when the caller goes on.
        try on.mock.setDown(1)
        let answers = Answers(count: 40) { _ in }
        var records: [Record] = []
        for index in 0..<40 {
            records = [Record(topic: "t", partition: 0, key: nil, value: Self.value(index))]
            on.log.producer.send(records) { answers.put(index, $0) }
            records[0].value![0] = 0
            records[0].value!.append(contentsOf: [1, 2, 3])
        }
        records = []
        try on.mock.setUp(1)
        try await eventually("reports after the broker came back") { answers.offsets == (1...40).map { Offset($0) } }
        let reader = try await on.log.reader()
        var read: [StoredRecord] = []
        while read.count < 40 {
            read += try await reader.read(
                TopicPartition("t", 0), from: Offset(1 + read.count), maxRecords: 40, waitingUpTo: .seconds(10))
        }
        #expect(read.map(\.value) == (0..<40).map { Self.value($0) })
        await on.log.close()
    }

    /// Of 1 to some 120,000 bytes: librdkafka copies small values into its request and points to large ones.
    private static func value(_ index: Int) -> [UInt8] {
        [UInt8](repeating: UInt8(index + 1), count: 1 + index * index * 80)
    }

    @Test func keysGoWhereJavasMurmur2PutsThem() async throws {
        let on = try await MockLog(["t": 12])
        let keys = (0..<50).map { "12345:49151\($0)" }
        let positions = try await on.log.produce(keys.map { record("t", in: nil, key: $0, "") })
        #expect(
            positions.map(\.partition.partition) == keys.map { Murmur2.partition(of: Array($0.utf8), partitions: 12) })
        await on.log.close()
    }

    @Test func recordsWaitForABrokerThatIsDown() async throws {
        let on = try await MockLog(["t": 1])
        try await on.log.produce([record("t", "before")])
        try on.mock.setDown(1)
        let answers = Answers(count: 20) { _ in }
        for index in 0..<20 { on.log.producer.send([record("t", "\(index)")]) { answers.put(index, $0) } }
        #expect(answers.isEmpty)
        try on.mock.setUp(1)
        try await eventually("reports after the broker came back") { answers.offsets == (1...20).map { Offset($0) } }
        await on.log.close()
    }

    @Test func aFullQueueRefusesACallWhole() async throws {
        let on = try await MockLog(["t": 1]) {
            $0.maxQueuedRecords = 10
            $0.closeTimeout = .milliseconds(200)
        }
        try await on.log.produce([record("t", "before")])
        try on.mock.setDown(1)
        let held = Answers(count: 8) { _ in }
        for index in 0..<8 { on.log.producer.send([record("t", "held")]) { held.put(index, $0) } }
        #expect(await code { try await on.log.produce((0..<3).map { _ in record("t", "refused") }) } == .queueFull)
        let last = Answers(count: 1) { _ in }
        on.log.producer.send([record("t", "held"), record("t", "held")]) { last.put(0, $0) }
        #expect(await code { try await on.log.produce([record("t", "refused")]) } == .queueFull)
        try on.mock.setUp(1)
        try await eventually("held records durable") { held.offsets.count == 8 && last.offsets.count == 1 }
        let high = try await on.log.admin.watermarks(of: [TopicPartition("t", 0)])[TopicPartition("t", 0)]?.high
        #expect(high == 11)
        try await on.log.produce([record("t", "room again")])
        await on.log.close()
    }

    @Test func bytesAreBoundedToo() async throws {
        let on = try await MockLog(["t": 1]) { $0.maxQueuedBytes = 1_000 }
        let large = String(repeating: "x", count: 1_001)
        #expect(await code { try await on.log.produce([record("t", large)]) } == .queueFull)
        try await on.log.produce([record("t", "small")])
        await on.log.close()
    }

    @Test func eightMiBFitAndMoreDoesNot() async throws {
        let on = try await MockLog(["t": 1])
        let fits = Record(topic: "t", partition: 0, key: nil, value: Array(repeating: 1, count: 8 << 20))
        let tooLarge = Record(topic: "t", partition: 0, key: nil, value: Array(repeating: 1, count: (8 << 20) + 1))
        #expect(await code { try await on.log.produce([record("t", "with it"), tooLarge]) } == .recordTooLarge)
        #expect(try await on.log.produce([fits]).first?.offset == 0)
        let reader = try await on.log.reader()
        #expect(try await reader.record(TopicPartition("t", 0), at: 0)?.value == fits.value)
        await on.log.close()
    }

    @Test func aTopicThatIsNotThereFailsInBoundedTime() async throws {
        let on = try await MockLog { $0.properties["topic.metadata.propagation.max.ms"] = "300" }
        on.mock.setError(.unknownTopicOrPartition, of: "absent")
        #expect(await code { try await on.log.produce([record("absent", "x")]) } == .unknownTopic)
        #expect(await code { try await on.log.produce([record("not a topic", "x")]) } == .invalidTopic)
        await on.log.close()
    }

    @Test func aKnownTopicThatABrokerForgetsIsARetriableError() async throws {
        let on = try await MockLog(["t": 1]) { $0.properties["topic.metadata.propagation.max.ms"] = "300" }
        try await on.log.produce([record("t", "before")])
        on.mock.setError(.unknownTopicOrPartition, of: "t")
        on.mock.fail(.produce, with: Array(repeating: .notLeader, count: 200))
        #expect(await code { try await on.log.produce([record("t", "x")]) } == .notDurable)
        await on.log.close()
    }

    @Test func aFatalErrorEndsTheSessionAndNotTheProducer() async throws {
        let on = try await MockLog(["t": 1])
        try await on.log.produce([record("t", "before")])
        on.mock.fail(.produce, with: [.outOfOrderSequence])
        #expect(await code { try await on.log.produce([record("t", "lost")]) } == .notDurable)
        try await eventually("the next session takes records") {
            do throws(LogError) {
                try await on.log.produce([record("t", "after")])
                return true
            } catch {
                #expect(error.isRetriable)
                return false
            }
        }
        await on.log.close()
    }

    @Test func brokerErrorsThatPassAreRetriedInside() async throws {
        let on = try await MockLog(["t": 1])
        on.mock.fail(.produce, with: [.notEnoughReplicas, .requestTimedOut, .notLeader])
        #expect(try await on.log.produce([record("t", "x")]).count == 1)
        await on.log.close()
    }

    @Test func closeIsBoundedAndAnswersEverySend() async throws {
        let on = try await MockLog(["t": 1]) { $0.closeTimeout = .milliseconds(300) }
        try await on.log.produce([record("t", "before")])
        try on.mock.setDown(1)
        let answers = Answers(count: 5) { _ in }
        for index in 0..<5 { on.log.producer.send([record("t", "x")]) { answers.put(index, $0) } }
        await on.log.close()
        try await eventually("every send is answered") { answers.errors.count == 5 }
        #expect(answers.errors.allSatisfy { $0.code == .notDurable })
        #expect(await code { try await on.log.produce([record("t", "x")]) } == .closed)
    }

    @Test func closeWaitsForReports() async throws {
        let on = try await MockLog(["t": 1])
        try await on.log.produce([record("t", "before")])
        try on.mock.setRoundTrip(.milliseconds(200), of: 1)
        let answers = Answers(count: 1) { _ in }
        on.log.producer.send([record("t", "x")]) { answers.put(0, $0) }
        await on.log.close()
        #expect(answers.offsets == [1])
    }
}

#if os(Linux)
extension ProducerTests {
    @Test func itsThreadsDoNotTakeOverFromWhoeverWakesThem() async throws {
        let on = try await MockLog(["t": 1])
        try await on.log.produce([record("t", "starts the broker's thread")])
        // Field 41 of /proc/…/stat (proc(5)) is the policy; 3 is SCHED_BATCH. Other tests have clients of other kinds.
        let policies = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").compactMap { thread in
            let stat = try? String(contentsOfFile: "/proc/self/task/\(thread)/stat", encoding: .utf8)
            guard let stat, stat.contains("(rdk:broker"), let end = stat.lastIndex(of: ")") else { return nil as Int? }
            return stat[end...].split(separator: " ").dropFirst(39).first.flatMap { Int($0) }
        }
        #expect(policies.contains(3))
        await on.log.close()
    }
}
#endif
