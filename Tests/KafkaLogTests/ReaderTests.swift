import EventLog
import KafkaLog
import Testing

@Suite struct ReaderTests {
    let t0 = TopicPartition("t", 0)

    @Test func singleRecordsAreReadByOffset() async throws {
        let on = try await MockLog(["t": 1])
        for value in 0..<30 { try await on.log.produce([record("t", "\(value)")]) }
        let reader = try await on.log.reader()
        for offset in [17, 3, 4, 29, 0, 28] {
            #expect(try await reader.record(t0, at: Offset(offset)).map { text([$0]) } == ["\(offset)"])
        }
        #expect(try await reader.record(t0, at: 30) == nil)
        #expect(try await reader.record(t0, at: 99) == nil)
        await on.log.close()
    }

    @Test func batchesFollowEachOther() async throws {
        let on = try await MockLog(["t": 1])
        try await on.log.produce((0..<1_000).map { record("t", "\($0)") })
        let reader = try await on.log.reader()
        var offsets: [Offset] = []
        while offsets.count < 1_000 {
            let more = try await reader.read(t0, from: Offset(offsets.count), maxRecords: 90, waitingUpTo: .zero)
            #expect((1...90).contains(more.count))
            offsets += more.map(\.offset)
        }
        #expect(offsets == Array(0..<1_000))
        #expect(try await reader.read(t0, from: 1_000, maxRecords: 90, waitingUpTo: .zero).isEmpty)
        await on.log.close()
    }

    @Test func aReadAtTheEndWaitsForTheNextRecord() async throws {
        let on = try await MockLog(["t": 1])
        try await on.log.produce([record("t", "0")])
        let reader = try await on.log.reader()
        #expect(try await reader.read(t0, from: 1, maxRecords: 9, waitingUpTo: .milliseconds(50)).isEmpty)
        async let waited = reader.read(t0, from: 1, maxRecords: 9, waitingUpTo: .seconds(30))
        try await on.log.produce([record("t", "1")])
        #expect(text(try await waited) == ["1"])
        try await on.log.produce([record("t", "2")])
        #expect(text(try await reader.read(t0, from: 2, maxRecords: 9, waitingUpTo: .zero)) == ["2"])
        await on.log.close()
    }

    @Test func whatThePartitionDoesNotHoldIsOutOfRange() async throws {
        let on = try await MockLog(["t": 1])
        try await on.log.produce([record("t", "0")])
        let reader = try await on.log.reader()
        let read = { (partition: TopicPartition, offset: Offset) in
            await code { _ = try await reader.read(partition, from: offset, maxRecords: 1, waitingUpTo: .zero) }
        }
        #expect(await read(t0, 5) == .offsetOutOfRange)
        #expect(await read(t0, -1) == .offsetOutOfRange)
        #expect(await read(TopicPartition("absent", 0), 0) == .unknownTopic)
        #expect(await read(TopicPartition("t", 1), 0) == .unknownTopic)
        await on.log.close()
    }

    @Test func partitionsAreReadAtTheSameTime() async throws {
        let on = try await MockLog(["t": 4])
        let reader = try await on.log.reader()
        try await withThrowingTaskGroup(of: [StoredRecord].self) { group in
            for number in 0..<4 {
                group.addTask {
                    try await reader.read(
                        TopicPartition("t", Int32(number)), from: 0, maxRecords: 1, waitingUpTo: .seconds(30))
                }
            }
            for number in 0..<4 { try await on.log.produce([record("t", in: Int32(number), "\(number)")]) }
            var all: [StoredRecord] = []
            for try await records in group { all += records }
            #expect(text(all).sorted() == ["0", "1", "2", "3"])
        }
        await on.log.close()
    }

    @Test func aReadThatWaitsGivesWayToOneThatDoesNot() async throws {
        let on = try await MockLog(["t": 1])
        try await on.log.produce([record("t", "0")])
        let reader = try await on.log.reader()
        async let waited = reader.read(t0, from: 1, maxRecords: 9, waitingUpTo: .seconds(600))
        for _ in 0..<20 { #expect(try await reader.record(t0, at: 0) != nil) }
        try await on.log.produce([record("t", "1")])
        #expect(text(try await waited) == ["1"])
        await on.log.close()
    }

    @Test func closeEndsAReadThatWaits() async throws {
        let on = try await MockLog(["t": 1])
        let reader = try await on.log.reader()
        let waiting = Task { try await reader.read(t0, from: 0, maxRecords: 1, waitingUpTo: .seconds(600)) }
        #expect(try await reader.read(t0, from: 0, maxRecords: 1, waitingUpTo: .zero).isEmpty)
        await reader.close()
        _ = try? await waiting.value
        #expect(await code { _ = try await reader.read(t0, from: 0, maxRecords: 1, waitingUpTo: .zero) } == .closed)
        await on.log.close()
    }

    @Test func aBrokerThatStaysAwayIsUnavailable() async throws {
        let on = try await MockLog(["t": 1]) { $0.requestTimeout = .milliseconds(300) }
        try await on.log.produce([record("t", "0")])
        let reader = try await on.log.reader()
        _ = try await reader.record(t0, at: 0)
        try on.mock.setDown(1)
        let read = await code { _ = try await reader.read(t0, from: 0, maxRecords: 1, waitingUpTo: .zero) }
        #expect(read == .unavailable)
        #expect(await code { _ = try await on.log.admin.topics() } == .unavailable)
        try on.mock.setUp(1)
        try await eventually("readable again") { (try? await reader.record(t0, at: 0)) != nil }
        await on.log.close()
    }
}
