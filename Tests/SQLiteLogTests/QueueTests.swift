import EventLog
import SQLiteLog
import Testing

/// The log as somebody's own queue on the disk.
@Suite struct QueueTests {
    @Test func deletedRecordsAreGoneAndTheRestStays() async throws {
        try await withLog { log, _ in
            try await log.admin.createTopics([spec("t", partitions: 3)])
            for partition in Int32(0)..<3 {
                try await log.produce((0..<2_500).map { record("t", "key", "\($0)", partition: partition) })
            }
            let size = try await log.sizes()[TopicPartition("t", 0)]
            #expect(size?.watermarks == Watermarks(low: 0, high: 2_500))
            // Longer than one step; in part; beyond the end; a partition that is not named stays.
            let freed = try await log.deleteRecords(below: [TopicPartition("t", 0): 2_400, TopicPartition("t", 1): 9_999])
            let sizes = try await log.sizes()
            #expect(sizes[TopicPartition("t", 0)]?.watermarks == Watermarks(low: 2_400, high: 2_500))
            #expect(sizes[TopicPartition("t", 1)]?.watermarks == Watermarks(low: 2_500, high: 2_500))
            #expect(sizes[TopicPartition("t", 1)]?.bytes == 0)
            #expect(sizes[TopicPartition("t", 2)] == size)
            #expect(freed == 2 * (size?.bytes ?? 0) - (sizes[TopicPartition("t", 0)]?.bytes ?? 0))
            let reader = try await log.reader()
            let left = try await reader.read(TopicPartition("t", 0), from: 2_400, maxRecords: 200, waitingUpTo: .zero)
            #expect(left.map(\.text) == (2_400..<2_500).map { "\($0)" })
            // Offsets go on, and times are still found.
            #expect(try await log.produce([record("t", "key", "next", partition: 1)]).first?.offset == 2_500)
            let begin = try await log.admin.offsets(at: Timestamp(milliseconds: 0), of: [TopicPartition("t", 0)])
            #expect(begin == [TopicPartition("t", 0): 2_400])
            await reader.close()
        }
    }

    @Test func deletingBelowTheBeginningOrInAnUnknownTopicChangesNothing() async throws {
        try await withLog { log, _ in
            try await log.admin.createTopics([spec("t")])
            try await log.produce((0..<10).map { record("t", "key", "\($0)") })
            try await log.deleteRecords(below: [TopicPartition("t", 0): 5])
            #expect(try await log.deleteRecords(below: [TopicPartition("t", 0): 3]) == 0)
            let code = await failure {
                try await log.deleteRecords(below: [TopicPartition("t", 0): 8, TopicPartition("absent", 0): 8])
            }
            #expect(code == .unknownTopic)
            #expect(try await log.sizes()[TopicPartition("t", 0)]?.watermarks == Watermarks(low: 5, high: 10))
        }
    }

    @Test func aFileHasOneOwnerAndAnyNumberOfOnlookers() async throws {
        try await withFolder { folder in
            var owning = SQLiteLogConfiguration()
            owning.isOwner = true
            let owner = try await SQLiteLog.open(path: folder.file, configuration: owning)
            let onlooker = try await SQLiteLog.open(path: folder.file)
            #expect(try onlooker.hasOwner() == true)
            let code = await failure { _ = try await SQLiteLog.open(path: folder.file, configuration: owning) }
            #expect(code == .unavailable)
            await owner.close()
            #expect(try onlooker.hasOwner() == false)
            let next = try await SQLiteLog.open(path: folder.file, configuration: owning)
            #expect(try next.hasOwner() == true)
            await next.close()
            await onlooker.close()
        }
    }
}
