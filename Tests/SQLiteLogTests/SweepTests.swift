import EventLog
import Foundation
import SQLiteLog
import Synchronization
import Testing

/// A wall clock that tests move.
final class TestClock: Sendable {
    private let time = Mutex(Timestamp(milliseconds: 1_700_000_000_000))

    var now: Timestamp { time.withLock { $0 } }
    func advance(by duration: Duration) { time.withLock { $0 = $0 + duration } }
}

@Suite struct SweepTests {
    private let clock = TestClock()
    private let partition = TopicPartition("t", 0)

    private var configuration: SQLiteLogConfiguration {
        var configuration = SQLiteLogConfiguration()
        configuration.now = { [clock] in clock.now }
        return configuration
    }

    private func all(_ log: SQLiteLog) async throws -> [StoredRecord] {
        let low = try await log.admin.watermarks(of: [partition])[partition]?.low ?? 0
        return try await log.reader().read(partition, from: low, maxRecords: 10_000, waitingUpTo: .zero)
    }

    @Test func recordsOlderThanTheirTimeGoAndOffsetsStay() async throws {
        try await withLog(configuration) { log, _ in
            try await log.admin.createTopics([spec("t", retention: .delete(days: 1))])
            try await log.produce((0..<1_500).map { record("t", "k", "\($0)") })
            clock.advance(by: .seconds(86_300))
            try await log.produce((0..<10).map { record("t", "k", "\($0)") })
            try await log.sweep()
            #expect(try await all(log).count == 1_510)

            clock.advance(by: .seconds(101))
            try await log.sweep()
            #expect(try await log.admin.watermarks(of: [partition]) == [partition: Watermarks(low: 1_500, high: 1_510)])
            #expect(try await all(log).map(\.offset) == Array(1_500..<1_510))
            let gone = await failure {
                _ = try await log.reader().read(partition, from: 1_499, maxRecords: 1, waitingUpTo: .zero)
            }
            #expect(gone == .offsetOutOfRange)

            clock.advance(by: .seconds(90_000))
            try await log.sweep()
            #expect(try await log.produce([record("t", "k", "next")]).map(\.offset) == [1_510])
        }
    }

    @Test func aPartitionKeepsWithinItsBytes() async throws {
        try await withLog(configuration) { log, _ in
            try await log.admin.createTopics([spec("t", retention: Retention(bytesPerPartition: 1_000))])
            let value = String(repeating: "v", count: 99)
            try await log.produce((0..<700).map { _ in record("t", "k", value) })
            try await log.sweep()
            #expect(try await all(log).map(\.offset) == Array(690..<700))
        }
    }

    @Test func compactionKeepsTheNewestRecordOfEachKey() async throws {
        try await withLog(configuration) { log, _ in
            try await log.admin.createTopics([spec("t", retention: .compact)])
            try await log.produce((0..<600).map { record("t", "k\($0 % 3)", "\($0)") } + [record("t", nil, "keyless")])
            try await log.sweep()
            #expect(try await all(log).map(\.text) == ["597", "598", "599", "keyless"])
            #expect(try await log.admin.watermarks(of: [partition])[partition] == Watermarks(low: 0, high: 601))

            // Later sweeps go on from there.
            try await log.produce([record("t", "k1", "new")])
            try await log.sweep()
            #expect(try await all(log).map(\.text) == ["597", "599", "keyless", "new"])
        }
    }

    @Test func aTombstoneDeletesItsKeyAndGoesInTimeButNeverTheNewestRecord() async throws {
        try await withLog(configuration) { log, _ in
            try await log.admin.createTopics([
                spec("t", retention: Retention(compacts: true, tombstoneAge: .seconds(100)))
            ])
            try await log.produce([record("t", "a", "1"), record("t", "b", "2"), record("t", "a", nil)])
            try await log.produce([record("t", "b", nil)])
            try await log.sweep()
            #expect(try await all(log).map(\.offset) == [2, 3])
            clock.advance(by: .seconds(100))
            try await log.sweep()
            #expect(try await all(log).map(\.offset) == [3])
        }
    }

    @Test func aConsumerPassesOverWhatCompactionRemoved() async throws {
        try await withLog(configuration) { log, _ in
            try await log.admin.createTopics([spec("t", retention: .compact)])
            try await log.produce((0..<10).map { record("t", "k\($0 % 2)", "\($0)") })
            try await log.sweep()
            let member = try await Member(log, group: "g", topics: ["t"])
            try await eventually { await member.records.count == 2 }
            #expect(await member.records.map(\.offset) == [8, 9])
            await member.leave()
        }
    }

    @Test func compactedTopicsWithAnAgeForgetOldKeys() async throws {
        try await withLog(configuration) { log, _ in
            try await log.admin.createTopics([spec("t", retention: .compactAndDelete(days: 1))])
            try await log.produce([record("t", "old", "1"), record("t", "kept", "2")])
            try await log.sweep()
            clock.advance(by: .seconds(86_500))
            try await log.produce([record("t", "kept", "3")])
            try await log.sweep()
            #expect(try await all(log).map(\.text) == ["3"])
            try await log.produce([record("t", "old", "4")])
            try await log.sweep()
            #expect(try await all(log).map(\.text) == ["3", "4"])
        }
    }

    @Test func theOffsetAtATimeIsTheFirstThatIsNotOlder() async throws {
        try await withLog(configuration) { log, _ in
            try await log.admin.createTopics([spec("t", retention: Retention(bytesPerPartition: 30_000))])
            // Timestamps need not ascend: every third one lags behind.
            let times: [Int64] = (0..<3_000).map { $0 % 3 == 0 ? Int64($0) - 500 : Int64($0) }
            for chunk in stride(from: 0, to: 3_000, by: 700) {
                try await log.produce(
                    times[chunk..<min(chunk + 700, 3_000)].map {
                        record("t", "k", "\($0)", timestamp: Timestamp(milliseconds: $0))
                    })
            }
            func check() async throws {
                let low = try await log.admin.watermarks(of: [partition])[partition]?.low ?? 0
                for time: Int64 in [-600, 0, 1, 1_000, 1_023, 1_024, 1_700, 2_047, 2_998, 2_999, 3_000, 9_999] {
                    let found = try await log.admin.offsets(at: Timestamp(milliseconds: time), of: [partition])
                    let expected = (Int(low)..<3_000).first { times[$0] >= time } ?? 3_000
                    #expect(found[partition] == Offset(expected), "time \(time)")
                }
            }
            try await check()
            try await log.produce([
                record("t", "k", String(repeating: "v", count: 24_000), timestamp: Timestamp(milliseconds: 0))
            ])
            try await log.sweep()
            #expect(try await log.admin.watermarks(of: [partition])[partition]?.low ?? 0 > 1_024)
            let low = try await log.admin.watermarks(of: [partition])[partition]?.low ?? 0
            let first = try await log.admin.offsets(at: Timestamp(milliseconds: -600), of: [partition])
            #expect(first[partition] == low)
        }
    }
}
