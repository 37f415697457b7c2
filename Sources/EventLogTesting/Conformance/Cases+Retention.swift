import EventLog

/// What becomes of old records.
enum RetentionCases {
    static func aTopicKeepsItsSize(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(retention: Retention(bytesPerPartition: 3 << 20))
        let partition = TopicPartition(topic, 0)
        for number in 0..<24 { try await log.produce(numbered(number..<number + 1, for: topic, padding: 400 << 10)) }
        try await eventually("the oldest records go, until no more are to go") {
            let before = try await scene.watermarks(log, partition).low
            try await scene.subject.sweep()
            if before == 0 { return false }
            // Brokers sweep by themselves, twice a second at the least when they are tested for it.
            try await Task.sleep(for: .seconds(1))
            return try await scene.watermarks(log, partition).low == before
        }
        let held = try await scene.watermarks(log, partition)
        try requireEqual(held.high, 24, "high watermark")
        // 3 MiB are 7 of these records; a log may keep more (whole segments), not fewer.
        try require(held.high - held.low >= 7, "too much went: \(held)")
        let stored = try await scene.readAll(log, partition)
        try requireEqual(stored.map(\.offset), Array(held.low..<24), "offsets kept")
        try await requireGone(scene, log, partition, held)
    }

    static func aTopicKeepsItsAge(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(retention: Retention(age: .seconds(3_600)))
        let partition = TopicPartition(topic, 0)
        let clock = try await scene.topic("clock")
        try await log.produce(numbered(0..<1, for: clock))
        let now = try requireValue(try await scene.readAll(log, clock).first, "record").timestamp
        try await log.produce(
            (0..<5).map {
                Record(topic: topic, partition: 0, key: nil, value: bytes("\($0)"), timestamp: now - .seconds(7_200))
            })
        try await eventually("old records go") {
            try await scene.subject.sweep()
            return try await scene.watermarks(log, partition) == Watermarks(low: 5, high: 5)
        }
        try await log.produce(numbered(5..<8, for: topic))
        try await scene.subject.sweep()
        let held = Watermarks(low: 5, high: 8)
        try requireEqual(try await scene.watermarks(log, partition), held, "watermarks")
        try requireEqual(try await scene.readAll(log, partition).map(\.offset), [5, 6, 7], "offsets kept")
        try await requireGone(scene, log, partition, held)
    }

    /// A reader and a consumer that ask for what is gone are told so.
    private static func requireGone(
        _ scene: Scene, _ log: any Log, _ partition: TopicPartition, _ held: Watermarks
    ) async throws {
        let reader = try await log.reader()
        try await requireError(.offsetOutOfRange, from: "a read below the low watermark") {
            try await reader.read(partition, from: held.low - 1, maxRecords: 1, waitingUpTo: .zero)
        }
        try requireEqual(try await reader.record(partition, at: 0), nil, "a record that is gone")
        try requireEqual(
            try await reader.record(partition, at: held.low)?.offset, held.low, "the oldest record that is kept")
        await reader.close()
        let member = try await scene.member(log, [partition.topic])
        try await member.step(until: "out of range") { !$0.outOfRange.isEmpty }
        let event = member.state.outOfRange[0]
        try requireEqual(event.requested, 0, "offset out of range")
        try requireEqual(event.held, held, "what is held")
        try await member.consumer.seek(partition, to: event.held.low)
        try await member.step(until: "what is kept") { $0.records.count >= Int(held.high - held.low) }
        try requireEqual(member.state.offsets(partition), Array(held.low..<held.high), "offsets")
    }

    static func compactionKeepsTheNewestOfEachKey(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(retention: .compact)
        let partition = TopicPartition(topic, 0)
        let history: [(String, String?)] = [
            ("a", "1"), ("b", "1"), ("a", "2"), ("c", "1"), ("d", "1"), ("b", "2"), ("c", nil), ("a", "3"),
        ]
        try await log.produce(history.map { record(topic, $0.0, $0.1) })
        let fillers = try await compact(scene, log, partition) { Set($0.map(\.offset)) == [4, 5, 6, 7] }
        let kept = try await scene.readAll(log, partition).filter { $0.offset < 8 }
        try requireEqual(kept.map(\.offset), [4, 5, 6, 7], "offsets kept")
        try requireEqual(kept.map(\.value), [bytes("1"), bytes("2"), nil, bytes("3")], "values kept")
        try requireEqual(try await scene.watermarks(log, partition).high, 8 + fillers, "high watermark")
        let reader = try await log.reader()
        let found = try await reader.read(partition, from: 0, maxRecords: 1, waitingUpTo: .seconds(30))
        try requireEqual(found.map(\.offset), [4], "first record from 0 on")
        try requireEqual(try await reader.record(partition, at: 2), nil, "a record that was compacted away")
        await reader.close()
        let member = try await scene.member(log, [topic])
        try await member.step(until: "what is kept") { state in state.offsets(partition).filter { $0 < 8 }.count >= 4 }
        try requireEqual(member.state.offsets(partition).filter { $0 < 8 }, [4, 5, 6, 7], "offsets consumed")
        try requireEqual(member.state.outOfRange.count, 0, "events out of range")
    }

    static func tombstonesGoWhenTheirAgeIsReached(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(retention: Retention(compacts: true, tombstoneAge: .zero))
        let partition = TopicPartition(topic, 0)
        try await log.produce([record(topic, "a", "1"), record(topic, "b", "1"), record(topic, "a", nil)])
        _ = try await compact(scene, log, partition) { Set($0.map(\.offset)) == [1] }
    }

    /// Sweeps until `condition` holds for the records before the fillers. Kafka leaves its newest segment alone, so
    /// something has to be written after what is to be compacted. Answers how many fillers were written.
    private static func compact(
        _ scene: Scene, _ log: any Log, _ partition: TopicPartition, until condition: ([StoredRecord]) -> Bool
    ) async throws -> Offset {
        var fillers: Offset = 0
        try await eventually("compaction") {
            try await log.produce([record(partition.topic, "filler", "\(fillers)")])
            fillers += 1
            try await scene.subject.sweep()
            let records = try await scene.readAll(log, partition)
            return condition(records.filter { $0.key != bytes("filler") })
        }
        return fillers
    }

    private static func record(_ topic: Topic, _ key: String, _ value: String?) -> Record {
        Record(topic: topic, partition: 0, key: bytes(key), value: value.map(bytes))
    }
}
