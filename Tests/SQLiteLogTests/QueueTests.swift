import EventLog
import Foundation
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
            #expect(try await SQLiteLogView.read(path: folder.file).isOwned)
            let code = await failure { _ = try await SQLiteLog.open(path: folder.file, configuration: owning) }
            #expect(code == .unavailable)
            await owner.close()
            #expect(try await SQLiteLogView.read(path: folder.file).isOwned == false)
            let next = try await SQLiteLog.open(path: folder.file, configuration: owning)
            #expect(try await SQLiteLogView.read(path: folder.file).isOwned)
            await next.close()
        }
    }

    @Test func anEmptiedFileGivesItsDiskBackAndGoesOn() async throws {
        try await withLog { log, folder in
            try await log.admin.createTopics([spec("t"), spec("kept")])
            try await log.produce([record("kept", "key", "stays")])
            let reader = try await log.reader()
            let partition = TopicPartition("t", 0)
            for round in 0..<2 {
                for _ in 0..<8 { try await log.produce((0..<10).map { _ in large("t") }) }
                // What holds much is not written anew; only the write-ahead log goes.
                #expect(try await log.shrink())
                #expect(folder.size("events.db") > 16 << 20 && folder.size("events.db-wal") == 0)
                try await log.deleteRecords(below: [partition: Offset(80 * (round + 1))])
                #expect(try await log.unusedBytes() > 16 << 20)
                #expect(try await log.shrink())
                #expect(folder.size("events.db") < 1 << 20 && folder.size("events.db-wal") == 0)
                #expect(try await log.unusedBytes() < 1 << 20)
                #expect(try await reader.read(TopicPartition("kept", 0), from: 0, maxRecords: 9, waitingUpTo: .zero).map(\.text) == ["stays"])
                #expect(try await reader.read(partition, from: Offset(80 * (round + 1)), maxRecords: 9, waitingUpTo: .zero).isEmpty)
            }
            #expect(try await log.produce([record("t", "key", "next")]).first?.offset == 160)
            await reader.close()
        }
    }

    /// On a disk that is nearly full, what was delivered must be removable.
    @Test func removingRecordsWritesLittle() async throws {
        try await withLog { log, folder in
            try await log.admin.createTopics([spec("t")])
            for _ in 0..<8 { try await log.produce((0..<10).map { _ in large("t") }) }
            #expect(try await log.shrink())
            #expect(folder.size("events.db-wal") == 0)
            let freed = try await log.deleteRecords(below: [TopicPartition("t", 0): 80])
            #expect(freed > 16 << 20)
            #expect(folder.size("events.db-wal") < 1 << 20)
        }
    }

    @Test func aStepOfDeletingIsBoundedInBytesAndSaysHowFarItCame() async throws {
        try await withLog { log, _ in
            try await log.admin.createTopics([spec("t", partitions: 2)])
            for partition in Int32(0)..<2 {
                try await log.produce((0..<10).map { _ in large("t", bytes: 2 << 20, partition: partition) })
            }
            var rest = [TopicPartition("t", 0): Offset(10), TopicPartition("t", 1): 9]
            var bytes: Int64 = 0
            var steps = 0
            while !rest.isEmpty {
                let step = try await log.deleteSomeRecords(below: rest)
                #expect(step.bytes <= 10 << 20)
                let sizes = try await log.sizes()
                for (partition, low) in step.low { #expect(sizes[partition]?.watermarks.low == low) }
                (rest, bytes, steps) = (step.rest, bytes + step.bytes, steps + 1)
            }
            #expect(steps > 3)
            #expect(bytes > 38 << 20)
            let sizes = try await log.sizes()
            #expect(sizes[TopicPartition("t", 0)]?.watermarks == Watermarks(low: 10, high: 10))
            #expect(sizes[TopicPartition("t", 1)]?.watermarks == Watermarks(low: 9, high: 10))
        }
    }

    private func large(_ topic: Topic, bytes: Int = 250_000, partition: Int32? = nil) -> Record {
        Record(topic: topic, partition: partition, key: [1], value: Array(repeating: 120, count: bytes))
    }

    @Test func lookingNeedsNoMoreThanToRead() async throws {
        try await withFolder { folder in
            let log = try await SQLiteLog.open(path: folder.file)
            try await log.admin.createTopics([spec("t", partitions: 2)])
            try await log.produce((0..<3).map { record("t", "key", "\($0)", partition: 1) })
            func look() async throws {
                let view = try await SQLiteLogView.read(path: folder.file)
                #expect(view.partitions.map(\.id) == [TopicPartition("t", 0), TopicPartition("t", 1)])
                #expect(view.partitions.map(\.size.watermarks) == [Watermarks(low: 0, high: 0), Watermarks(low: 0, high: 3)])
                #expect(view.partitions.map(\.oldest?.text) == [nil, "0"])
            }
            // While it is open, its newest records in the write-ahead log.
            try await look()
            await log.close()
            for file in try FileManager.default.contentsOfDirectory(atPath: folder.path) where file != "events.db" {
                try FileManager.default.removeItem(atPath: "\(folder.path)/\(file)")
            }
            try await look()
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["events.db"])
            #expect(await failure { _ = try await SQLiteLogView.read(path: folder.path + "/nothing.db") } == .storage)
        }
    }
}
