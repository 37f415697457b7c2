import EventLog

/// Readers outside of groups: by offset, by time, and at the edges.
enum ReadingCases {
    static func recordsAreReadByOffset(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let partition = TopicPartition(topic, 0)
        try await log.produce(numbered(0..<200, for: topic))
        let reader = try await log.reader()
        // Backwards and forwards: a parked record is anywhere.
        for offset in [150, 3, 199, 0, 77, 78, 76] as [Offset] {
            let record = try await reader.record(partition, at: offset)
            try requireEqual(record?.value, bytes("\(offset)"), "value at \(offset)")
        }
        for (from, most) in [(0, 10), (195, 10), (42, 1), (0, 1_000)] as [(Offset, Int)] {
            let offsets = try await readAhead(reader, partition, from, most)
            try requireEqual(
                offsets, Array(from..<min(200, from + Offset(most))), "offsets from \(from), at most \(most)")
        }
        await reader.close()
    }

    /// One read may answer fewer than there are; it may not answer more, or others.
    private static func readAhead(
        _ reader: any Reader, _ partition: TopicPartition, _ from: Offset, _ most: Int
    ) async throws -> [Offset] {
        var offsets: [Offset] = []
        while offsets.count < most, from + Offset(offsets.count) < 200 {
            let left = most - offsets.count
            let records = try await reader.read(
                partition, from: from + Offset(offsets.count), maxRecords: left, waitingUpTo: .seconds(30))
            try require(!records.isEmpty, "nothing at \(from + Offset(offsets.count)), which is below the end")
            try require(records.count <= left, "\(records.count) records where \(left) is the bound")
            offsets += records.map(\.offset)
        }
        return offsets
    }

    static func theEndIsReadableAndBeyondItIsNot(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let partition = TopicPartition(topic, 0)
        let reader = try await log.reader()
        let nothing = try await reader.read(partition, from: 0, maxRecords: 10, waitingUpTo: .zero)
        try requireEqual(nothing.count, 0, "records of an empty partition")
        try await log.produce(numbered(0..<3, for: topic))
        try requireEqual(
            try await reader.read(partition, from: 3, maxRecords: 10, waitingUpTo: .milliseconds(50)).count, 0,
            "records at the end")
        for offset in [4, 1_000_000, -1] as [Offset] {
            try await requireError(.offsetOutOfRange, from: "a read at \(offset) where [0, 3] is held") {
                try await reader.read(partition, from: offset, maxRecords: 10, waitingUpTo: .zero)
            }
            try requireEqual(try await reader.record(partition, at: offset), nil, "record at \(offset)")
        }
        try requireEqual(try await reader.record(partition, at: 3), nil, "record at the end")
        try requireEqual(try await reader.record(partition, at: 2)?.value, bytes("2"), "the last record, after errors")
        await reader.close()
    }

    static func aReaderAtTheEndWaitsForTheNextRecord(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        try await log.produce(numbered(0..<5, for: topic))
        let reader = try await scene.open().reader()
        for round in 5..<10 {
            async let waited = reader.read(
                TopicPartition(topic, 0), from: Offset(round), maxRecords: 10, waitingUpTo: .seconds(60))
            try await log.produce(numbered(round..<round + 1, for: topic))
            try requireEqual(try await waited.map(\.offset), [Offset(round)], "offsets of the record waited for")
        }
        await reader.close()
    }

    static func readersDoNotDisturbEachOther(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 2)
        for partition in 0..<Int32(2) { try await log.produce(numbered(0..<50, for: topic, partition: partition)) }
        let reader = try await log.reader()
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<8 {
                group.addTask {
                    let partition = TopicPartition(topic, Int32(task % 2))
                    for step in 0..<10 {
                        let offset = Offset((task * 13 + step * 7) % 50)
                        let record = try await reader.record(partition, at: offset)
                        try requireEqual(record?.source, partition, "source")
                        try requireEqual(record?.value, bytes("\(offset)"), "value at \(partition)@\(offset)")
                    }
                }
            }
            try await group.waitForAll()
        }
        await reader.close()
    }

    static func offsetsAreFoundByTime(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 2)
        let (first, second) = (TopicPartition(topic, 0), TopicPartition(topic, 1))
        // Recent, so that retention leaves them alone.
        let start = try await logTime(log, scene)
        try await log.produce(
            (0..<10).map {
                Record(topic: topic, partition: 0, key: nil, value: bytes("\($0)"), timestamp: start + .seconds(Int64($0)))
            })
        func found(_ time: Timestamp) async throws -> [TopicPartition: Offset] {
            try await log.admin.offsets(at: time, of: [first, second])
        }
        try requireEqual(try await found(start - .seconds(60)), [first: 0, second: 0], "offsets before the first")
        try requireEqual(try await found(start), [first: 0, second: 0], "offsets at the first")
        try requireEqual(try await found(start + .milliseconds(3_001))[first], 4, "offset between two")
        try requireEqual(try await found(start + .seconds(9))[first], 9, "offset at the last")
        try requireEqual(try await found(start + .milliseconds(9_001))[first], 10, "offset after the last")
    }

    /// The log's clock, told by a record.
    private static func logTime(_ log: any Log, _ scene: Scene) async throws -> Timestamp {
        let topic = try await scene.topic("clock")
        try await log.produce(numbered(0..<1, for: topic))
        return try requireValue(try await scene.readAll(log, topic).first, "record").timestamp - .seconds(600)
    }

    static func aGroupReplaysFromAnOffset(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let partition = TopicPartition(topic, 0)
        try await log.produce(numbered(0..<50, for: topic))
        let first = try await scene.member(log, [topic], .init(commits: true))
        try await first.step(until: "all records") { $0.records.count >= 50 }
        await first.close()
        try requireEqual(try await scene.commit(log, partition)?.offset, 50, "commit")
        let again = try await scene.member(log, [topic], .init(starts: { $0.mapValues { _ in 20 } }))
        try await again.step(until: "the records from 20 on") { $0.records.count >= 30 }
        try requireEqual(again.state.offsets(partition), Array(20..<50), "replayed offsets")
        try requireEqual(try await scene.commit(log, partition)?.offset, 50, "commit, which a replay does not move")
    }

    static func aGroupReplaysFromATime(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let partition = TopicPartition(topic, 0)
        let start = try await logTime(log, scene)
        try await log.produce(
            (0..<20).map {
                Record(topic: topic, partition: 0, key: nil, value: bytes("\($0)"), timestamp: start + .seconds(Int64($0)))
            })
        let offsets = try await log.admin.offsets(at: start + .seconds(12), of: [partition])
        let member = try await scene.member(log, [topic], .init(starts: { _ in offsets }))
        try await member.step(until: "the records from second 12 on") { $0.records.count >= 8 }
        try requireEqual(member.state.offsets(partition), Array(12..<20), "replayed offsets")
    }
}
