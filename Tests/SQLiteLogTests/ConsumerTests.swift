import EventLog
import Foundation
import SQLiteLog
import Testing

@Suite struct ConsumerTests {
    /// A single member of a group over topic `t`, with its partitions started at 0.
    private func withConsumer(
        partitions: Int32 = 1, maxBatchRecords: Int = 500, maxBufferedBytes: Int = 32 << 20,
        _ body: (SQLiteLog, any Consumer) async throws -> Void
    ) async throws {
        try await withLog { log, _ in
            try await log.admin.createTopics([spec("t", partitions: partitions)])
            let consumer = try await log.consumer(
                ConsumerConfiguration(
                    group: "g", topics: ["t"], maxBufferedBytes: maxBufferedBytes, maxBatchRecords: maxBatchRecords))
            guard case .assigned(let commits) = try await consumer.next() else {
                Issue.record("assignment comes first")
                return
            }
            try await consumer.start(at: commits.mapValues { _ in 0 })
            try await body(log, consumer)
            await consumer.close()
            #expect(try await consumer.next() == nil)
        }
    }

    private func records(_ consumer: any Consumer) async throws -> [StoredRecord] {
        guard case .records(_, let records) = try await consumer.next() else { throw TimedOut() }
        return records
    }

    @Test func batchesAreBoundedByRecordsAndBytesAndKeepOrder() async throws {
        try await withConsumer(maxBatchRecords: 4, maxBufferedBytes: 250) { log, consumer in
            let value = String(repeating: "v", count: 99)
            try await log.produce((0..<10).map { _ in record("t", "k", value) })
            var offsets: [Offset] = []
            while offsets.count < 10 {
                let batch = try await records(consumer)
                // The bound is reached within the third record of 100 bytes.
                #expect(batch.count <= 3)
                offsets += batch.map(\.offset)
            }
            #expect(offsets == Array(0..<10))
        }
    }

    @Test func aPausedPartitionStandsStillAndGoesOnWhereItWas() async throws {
        try await withConsumer(partitions: 2) { log, consumer in
            let (paused, other) = (TopicPartition("t", 0), TopicPartition("t", 1))
            try await consumer.pause([paused])
            try await log.produce([record("t", "k", "a", partition: 0), record("t", "k", "b", partition: 1)])
            #expect(try await records(consumer).map(\.source) == [other])
            try await log.produce([record("t", "k", "c", partition: 1)])
            #expect(try await records(consumer).map(\.source) == [other])
            try await consumer.resume([paused])
            let resumed = try await records(consumer)
            #expect(resumed.map(\.source) == [paused] && resumed.map(\.offset) == [0])
        }
    }

    @Test func seekGoesOnFromThereAndDropsWhatWasReadAhead() async throws {
        try await withConsumer(maxBatchRecords: 2) { log, consumer in
            try await log.produce((0..<6).map { record("t", "k", "\($0)") })
            #expect(try await records(consumer).map(\.offset) == [0, 1])
            try await consumer.seek(TopicPartition("t", 0), to: 4)
            #expect(try await records(consumer).map(\.offset) == [4, 5])
            try await consumer.seek(TopicPartition("t", 0), to: 1)
            #expect(try await records(consumer).map(\.offset) == [1, 2])
            let foreign = await failure { try await consumer.seek(TopicPartition("t", 9), to: 0) }
            #expect(foreign == .fenced)
        }
    }

    @Test func anOffsetThatIsNotThereIsToldAndThePartitionWaitsForSeek() async throws {
        try await withConsumer { log, consumer in
            try await log.produce((0..<3).map { record("t", "k", "\($0)") })
            let partition = TopicPartition("t", 0)
            try await consumer.seek(partition, to: 9)
            guard case .outOfRange(partition, 9, Watermarks(low: 0, high: 3)) = try await consumer.next() else {
                Issue.record("out of range is told")
                return
            }
            try await consumer.seek(partition, to: 2)
            #expect(try await records(consumer).map(\.offset) == [2])
        }
    }

    @Test func nothingIsReadBeforeStartNorAfterRelease() async throws {
        try await withLog { log, _ in
            try await log.admin.createTopics([spec("t", partitions: 2)])
            try await log.produce([record("t", "k", "a", partition: 0), record("t", "k", "b", partition: 1)])
            let consumer = try await log.consumer(ConsumerConfiguration(group: "g", topics: ["t"]))
            guard case .assigned(let commits) = try await consumer.next() else { throw TimedOut() }
            #expect(commits.count == 2)
            let (released, kept) = (TopicPartition("t", 0), TopicPartition("t", 1))
            try await consumer.release([released])
            try await consumer.start(at: [kept: 0])
            let fenced = await failure { try await consumer.commit([released: Commit(offset: 0)]) }
            #expect(fenced == .fenced)
            var seen: [ConsumerEvent] = []
            while seen.count < 2, let event = try await consumer.next() { seen.append(event) }
            // What was released is free, and so comes back; unstarted, it yields nothing.
            for event in seen {
                switch event {
                case .records(let partition, _): #expect(partition == kept)
                case .assigned(let again): #expect(Array(again.keys) == [released])
                default: Issue.record("unexpected event")
                }
            }
            await consumer.close()
        }
    }

    @Test func aCancelledTaskStopsWaitingAndTheMemberStays() async throws {
        try await withConsumer { log, consumer in
            let waiting = Task { try await consumer.next() }
            waiting.cancel()
            #expect(try await waiting.value == nil)
            try await log.produce([record("t", "k", "v")])
            #expect(try await records(consumer).count == 1)
        }
    }
}
