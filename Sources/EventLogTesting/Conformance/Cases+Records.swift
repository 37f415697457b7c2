import EventLog

/// What goes in comes out: bytes, nulls, sizes, times, places.
enum RecordCases {
    static func produceReturnsPositionsOfReadableRecords(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 3)
        let records = (0..<30).map { number in
            Record(
                topic: topic, partition: Int32(number % 3), key: bytes("key \(number)"), value: bytes("value \(number)"),
                headers: Headers([Header("number", "\(number)")]))
        }
        let positions = try await log.produce(records)
        try requireEqual(positions.count, records.count, "positions")
        // Durable means: whoever looks now, finds it.
        let reader = try await scene.open().reader()
        for (record, position) in zip(records, positions) {
            try requireEqual(position.partition, TopicPartition(topic, record.partition ?? -1), "partition")
            let stored = try await reader.record(position.partition, at: position.offset)
            try requireSame(stored, record, at: position)
        }
        try requireEqual(positions.prefix(9).map(\.offset), [0, 0, 0, 1, 1, 1, 2, 2, 2], "offsets")
        await reader.close()
        try requireEqual(try await log.produce([]).count, 0, "positions of no records")
    }

    static func recordsLandWhereJavaPutsThem(_ scene: Scene) async throws {
        // Partition of 12 by Java's `toPositive(murmur2(key)) % 12`.
        let vectors: [(String, Int32)] = [
            ("21", 0), ("foobar", 6), ("a-little-bit-long-string", 8), ("a-little-bit-longer-string", 11),
            ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 5), ("abc", 3), ("", 9),
            ("1061234567890:4915112345678", 2), ("Grüße", 3), ("日本語", 10),
        ]
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 12)
        let positions = try await log.produce(vectors.map { Record(topic: topic, key: bytes($0.0), value: []) })
        for (vector, position) in zip(vectors, positions) {
            try requireEqual(position.partition, TopicPartition(topic, vector.1), "partition of \"\(vector.0)\"")
        }
        var random = SeededGenerator(seed: 12)
        let keys = (0..<200).map { _ in random.bytes(Int.random(in: 0...20, using: &random)) }
        let more = try await log.produce(keys.map { Record(topic: topic, key: $0, value: []) })
        for (key, position) in zip(keys, more) {
            try requireEqual(
                position.partition.partition, Murmur2.partition(of: key, partitions: 12), "partition of \(key)")
        }
    }

    static func aNamedPartitionOverridesTheKey(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 4)
        let key = bytes("foobar")
        let elsewhere = (Murmur2.partition(of: key, partitions: 4) + 1) % 4
        let position = try await log.produce([Record(topic: topic, partition: elsewhere, key: key, value: [])])
        try requireEqual(position.first?.partition.partition, elsewhere, "partition")
    }

    static func nullAndEmptyAreDifferent(_ scene: Scene) async throws {
        let parts: [[UInt8]?] = [nil, [], bytes("x")]
        try await roundTrip(scene) { topic in
            parts.flatMap { key in parts.map { Record(topic: topic, partition: 0, key: key, value: $0) } }
        }
    }

    static func recordsWithoutKeyAreTaken(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 3)
        let positions = try await log.produce(
            (0..<60).map { Record(topic: topic, key: nil, value: bytes("\($0)")) })
        try require(positions.allSatisfy { (0..<3).contains($0.partition.partition) }, "a partition that is not there")
        let stored = try await scene.readAll(log, topic)
        try requireEqual(stored.count, 60, "records")
        try require(stored.allSatisfy { $0.key == nil }, "a null key came back as bytes")
    }

    static func headersCarryAnyBytesAndNulls(_ scene: Scene) async throws {
        try await roundTrip(scene) { topic in
            let lists = [
                [],
                [Header("all", Array(0...255)), Header("null", nil as [UInt8]?), Header("empty", [])],
                [Header("twice", "1"), Header("between", "2"), Header("twice", "3")],
                [Header("größe 日本", "Ünïcode")],
                (0..<50).map { Header("h\($0)", [UInt8](repeating: UInt8($0), count: $0)) },
            ]
            return lists.map {
                Record(topic: topic, partition: 0, key: nil, value: bytes("v"), headers: Headers($0))
            }
        }
    }

    static func timestampsAreKept(_ scene: Scene) async throws {
        let log = try await scene.open()
        // Years old: retention by age would rightly take them.
        let topic = try await scene.topic(retention: Retention())
        let times = [Timestamp(milliseconds: 1_600_000_000_123), Timestamp(milliseconds: 1_500_000_000_000)]
        try await log.produce(
            (times + [nil]).map { Record(topic: topic, partition: 0, key: nil, value: [], timestamp: $0) })
        let stored = try await scene.readAll(log, TopicPartition(topic, 0)).map(\.timestamp)
        try requireEqual(Array(stored.prefix(2)), times, "timestamps that were given")
        let own = try requireValue(stored.last, "record")
        try require(own > Timestamp(milliseconds: 1_700_000_000_000), "no timestamp of the log's own: \(own)")
    }

    static func eightMebibytesFit(_ scene: Scene) async throws { try await fits(8 << 20, scene) }

    static func fourMebibytesFit(_ scene: Scene) async throws { try await fits(4 << 20, scene) }

    private static func fits(_ limit: Int, _ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(maxRecordBytes: limit)
        let partition = TopicPartition(topic, 0)
        var random = SeededGenerator(seed: 8)
        // A kibibyte is left for the log's own framing, which Kafka counts.
        let large = Record(topic: topic, partition: 0, key: bytes("k"), value: random.bytes(limit - 1_024))
        let small = Record(topic: topic, partition: 0, key: bytes("k"), value: bytes("small"))
        let positions = try await log.produce([small, large, small])
        try requireEqual(positions.map(\.offset), [0, 1, 2], "offsets")
        let reader = try await log.reader()
        try requireSame(try await reader.record(partition, at: 1), large, at: positions[1])
        await reader.close()
        let member = try await scene.member(log, [topic]) { $0.maxBufferedBytes = 1 << 20 }
        try await member.step(until: "three records, one larger than the buffer") { $0.records.count >= 3 }
        for (stored, sent) in zip(member.state.records, [small, large, small]) {
            try requireSame(stored, sent, at: RecordPosition(stored.source, stored.offset))
        }
    }

    static func aRecordBeyondTheTopicsLimitIsRefused(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(maxRecordBytes: 1 << 20)
        let large = Record(topic: topic, partition: 0, key: nil, value: [UInt8](repeating: 0, count: 2 << 20))
        try await requireError(.recordTooLarge, from: "a record of 2 MiB where 1 MiB is the limit") {
            try await log.produce([large])
        }
        try await log.produce(numbered(0..<3, for: topic))
        try requireEqual(
            try await scene.readAll(log, TopicPartition(topic, 0)).count, 3, "records after a refused one")
    }

    /// Sends what `records` makes, and compares what a reader and a consumer get.
    private static func roundTrip(_ scene: Scene, _ records: (Topic) -> [Record]) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let sent = records(topic)
        try await log.produce(sent)
        let read = try await scene.readAll(log, TopicPartition(topic, 0))
        let member = try await scene.member(log, [topic])
        try await member.step(until: "all \(sent.count) records") { $0.records.count >= sent.count }
        for found in [read, member.state.records] {
            try requireEqual(found.count, sent.count, "records")
            for (stored, record) in zip(found, sent) {
                try requireSame(stored, record, at: RecordPosition(stored.source, stored.offset))
            }
        }
    }

    private static func requireSame(_ stored: StoredRecord?, _ sent: Record, at position: RecordPosition) throws {
        let place = "\(position.partition)@\(position.offset)"
        let stored = try requireValue(stored, "record at \(place)")
        try requireEqual(stored.offset, position.offset, "offset at \(place)")
        try requireEqual(stored.source, position.partition, "source at \(place)")
        try requireEqual(stored.key, sent.key, "key at \(place)")
        try requireEqual(Array(stored.headers), Array(sent.headers), "headers at \(place)")
        try require(
            stored.value == sent.value,
            "value at \(place): sent \(sent.value?.count ?? -1) bytes, got \(stored.value?.count ?? -1), not the same")
    }
}
