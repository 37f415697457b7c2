import EventLog
import KafkaLog
import Testing

/// Where a member reads: seek, pause, bounds, out of range.
@Suite struct FlowTests {
    let t0 = TopicPartition("t", 0)
    let t1 = TopicPartition("t", 1)

    @Test func seekGoesBackAndForth() async throws {
        let on = try await MockLog(["t": 1])
        for value in 0..<20 { try await on.log.produce([record("t", "\(value)")]) }
        let member = try await on.log.member("g", ["t"], maxBatchRecords: 1)
        try await member.begin()
        #expect(text(try await member.take(3)) == ["0", "1", "2"])
        try await member.seek(t0, to: 15)
        #expect(text(try await member.take(5)) == ["15", "16", "17", "18", "19"])
        try await member.seek(t0, to: 1)
        #expect(text(try await member.take(19)) == (1..<20).map(String.init))
        await on.log.close()
    }

    @Test func seeksInARowEndAtTheLast() async throws {
        let on = try await MockLog(["t": 1])
        try await on.log.produce((0..<50).map { record("t", "\($0)") })
        let member = try await on.log.member("g", ["t"])
        try await member.begin()
        for offset in [40, 3, 30, 0, 20, 45] { try await member.seek(t0, to: Offset(offset)) }
        #expect(try await member.take(5).map(\.offset) == [45, 46, 47, 48, 49])
        await on.log.close()
    }

    @Test func pauseStopsOnePartitionAndResumeLosesNothing() async throws {
        let on = try await MockLog(["t": 2])
        for value in 0..<10 {
            try await on.log.produce([record("t", in: 0, "a\(value)"), record("t", in: 1, "b\(value)")])
        }
        let member = try await on.log.member("g", ["t"], maxBatchRecords: 1)
        guard case .assigned = try await member.nextEvent() else { return }
        try await member.pause([t0])
        try await member.start(at: [t0: 0, t1: 0])
        #expect(text(try await member.take(10)) == (0..<10).map { "b\($0)" })
        try await member.resume([t0])
        #expect(text(try await member.take(4)) == ["a0", "a1", "a2", "a3"])
        try await member.pause([t0])
        try await on.log.produce([record("t", in: 1, "b10")])
        #expect(text(try await member.take(1)) == ["b10"])
        try await member.resume([t0])
        #expect(text(try await member.take(6)) == (4..<10).map { "a\($0)" })
        await on.log.close()
    }

    @Test func seekOfAPausedPartitionTakesEffectAtResume() async throws {
        let on = try await MockLog(["t": 1])
        try await on.log.produce((0..<10).map { record("t", "\($0)") })
        let member = try await on.log.member("g", ["t"])
        try await member.begin()
        _ = try await member.take(10)
        try await member.pause([t0])
        try await member.seek(t0, to: 8)
        try await member.resume([t0])
        #expect(text(try await member.take(2)) == ["8", "9"])
        await on.log.close()
    }

    @Test func fetchingAheadIsBoundedAndGoesOn() async throws {
        let on = try await MockLog(["t": 2])
        let value = String(repeating: "x", count: 10_000)
        for _ in 0..<100 {
            try await on.log.produce([record("t", in: 0, value), record("t", in: 1, value)])
        }
        let member = try await on.log.member("g", ["t"], maxBufferedBytes: 50_000, maxBatchRecords: 5)
        try await member.begin()
        var offsets: [TopicPartition: [Offset]] = [:]
        while offsets.values.reduce(0, { $0 + $1.count }) < 200 {
            guard case .records(let partition, let batch) = try await member.nextEvent() else { continue }
            offsets[partition, default: []] += batch.map(\.offset)
        }
        #expect(offsets == [t0: Array(0..<100), t1: Array(0..<100)])
        await on.log.close()
    }

    @Test func anOffsetThatIsNotHeldIsToldAndSeekGoesOn() async throws {
        let on = try await MockLog(["t": 2])
        try await on.log.produce((0..<5).map { record("t", in: 0, "\($0)") } + [record("t", in: 1, "other")])
        let member = try await on.log.member("g", ["t"])
        guard case .assigned = try await member.nextEvent() else { return }
        try await member.start(at: [t0: 99, t1: 0])
        var others: [String] = []
        while true {
            let event = try await member.nextEvent()
            if case .records(_, let records) = event { others += text(records) }
            guard case .outOfRange(let partition, let requested, let held) = event else { continue }
            #expect(partition == t0 && requested == 99 && held == Watermarks(low: 0, high: 5))
            break
        }
        try await member.seek(t0, to: 2)
        while others.count < 4 { others += text(try await member.take(1)) }
        #expect(others.sorted() == ["2", "3", "4", "other"])
        try await member.seek(t0, to: 1_000)
        guard case .outOfRange(t0, 1_000, _) = try await member.nextEvent() else {
            Issue.record("a seek beyond the end is out of range")
            return
        }
        await on.log.close()
    }

    @Test func aReplicaThatLagsIsNotOutOfRange() async throws {
        let on = try await MockLog(["t": 1])
        try await on.log.produce((0..<5).map { record("t", "\($0)") })
        let member = try await on.log.member("g", ["t"])
        try await member.begin()
        #expect(try await member.take(5).count == 5)
        on.mock.fail(.fetch, with: [.notLeader, .unknownTopicOrPartition])
        try await on.log.produce([record("t", "5")])
        #expect(text(try await member.take(1)) == ["5"])
        await on.log.close()
    }
}
