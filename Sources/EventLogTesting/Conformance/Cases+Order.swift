import EventLog
import Synchronization

/// Order and bounds while many write at once.
enum OrderCases {
    static func orderIsKeptPerKey(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 3)
        var random = SeededGenerator(seed: 1)
        var counts: [String: Int] = [:]
        for _ in 0..<40 {
            let batch = (0..<Int.random(in: 1...20, using: &random)).map { _ in
                let key = "key \(Int.random(in: 0..<10, using: &random))"
                counts[key, default: 0] += 1
                return Record(topic: topic, key: bytes(key), value: bytes("\(counts[key] ?? 0)"))
            }
            try await log.produce(batch)
        }
        try requireSequences(try await scene.readAll(log, topic), counts)
        let member = try await scene.member(log, [topic])
        let total = counts.values.reduce(0, +)
        try await member.step(until: "all \(total) records") { $0.records.count >= total }
        try requireSequences(member.state.records, counts)
    }

    /// Sends of one thread that do not wait for each other.
    static func sendsOfOneThreadKeepTheirOrder(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 2)
        let sends = 300
        let answers = Mutex<[Int: Result<[RecordPosition], LogError>]>([:])
        for send in 0..<sends {
            log.producer.send(numbered(send * 3..<send * 3 + 3, for: topic, partition: Int32(send % 2))) { result in
                answers.withLock { $0[send] = result }
            }
        }
        try await eventually("all \(sends) sends are answered") { answers.withLock(\.count) == sends }
        var next: [Int32: Offset] = [:]
        for (_, result) in answers.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
            for position in try result.get() {
                try requireEqual(position.offset, next[position.partition.partition, default: 0], "next offset")
                next[position.partition.partition] = position.offset + 1
            }
        }
        for partition in 0..<Int32(2) {
            let values = try await scene.readAll(log, TopicPartition(topic, partition)).compactMap(Self.number)
            try requireEqual(values, values.sorted(), "values of partition \(partition)")
            try requireEqual(values.count, sends * 3 / 2, "records of partition \(partition)")
        }
    }

    static func concurrentProducersKeepTheirOrder(_ scene: Scene) async throws {
        let topic = try await scene.topic(partitions: 4)
        let logs = [try await scene.open(), try await scene.open()]
        let (writers, rounds) = (16, 20)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for writer in 0..<writers {
                group.addTask {
                    for round in 0..<rounds {
                        try await logs[writer % 2].producer.producePatiently(
                            (1...3).map {
                                Record(topic: topic, key: bytes("writer \(writer)"), value: bytes("\(round * 3 + $0)"))
                            })
                    }
                }
            }
            try await group.waitForAll()
        }
        let stored = try await scene.readAll(logs[0], topic)
        let counts = (0..<writers).map { ("writer \($0)", rounds * 3) }
        try requireSequences(stored, Dictionary(uniqueKeysWithValues: counts))
        try requireEqual(
            Set(stored.map { RecordPosition($0.source, $0.offset) }).count, stored.count, "distinct positions")
    }

    static func aFullQueueSaysSoAndRecovers(_ scene: Scene) async throws {
        let log = try await scene.open(queueBytes: 64 << 10)
        let topic = try await scene.topic()
        let answers = Mutex<(taken: Int, refused: [LogError])>((0, []))
        // Nearly 5 MB into a queue of 64 KiB, faster than anything can store them one by one.
        let sends = 300
        for send in 0..<sends {
            log.producer.send(numbered(send..<send + 1, for: topic, padding: 16 << 10)) { result in
                answers.withLock { answers in
                    switch result {
                    case .success: answers.taken += 1
                    case .failure(let error): answers.refused.append(error)
                    }
                }
            }
        }
        try await eventually("all \(sends) sends are answered") {
            answers.withLock { $0.taken + $0.refused.count } == sends
        }
        let (taken, refused) = answers.withLock { $0 }
        try require(!refused.isEmpty, "300 records of 16 KiB fitted into a queue of 64 KiB")
        for error in refused { try requireEqual(error.code, .queueFull, "code of a refusal") }
        try require(taken > 0, "nothing was taken")
        try await log.produce(numbered(sends..<sends + 1, for: topic))
        let stored = try await scene.readAll(log, TopicPartition(topic, 0))
        try requireEqual(stored.count, taken + 1, "records that were taken")
        let values = stored.compactMap(Self.number)
        try requireEqual(values, values.sorted(), "values in order")
        try requireEqual(values.last, sends, "the last value")
    }

    static func aConsumerThatIsNotReadRemainsAMember(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let partition = TopicPartition(topic, 0)
        let count = 64
        for from in stride(from: 0, to: count, by: 16) {
            try await log.produce(numbered(from..<from + 16, for: topic, padding: 60 << 10))
        }
        let member = try await scene.member(log, [topic]) {
            $0.maxBufferedBytes = 256 << 10
            $0.maxBatchRecords = 5
        }
        try await member.step(until: "the first batch") { !$0.records.isEmpty }
        // Twice the session time-out without a call of `next`: it owns the partition all the same.
        try await Task.sleep(for: scene.subject.sessionTimeout * 2)
        try await member.consumer.commit([partition: Commit(offset: 1)])
        while member.state.records.count < count {
            guard case .records(_, let batch) = try await member.step() else {
                throw ConformanceFailure("silence cost the membership: \(member.state.lost) lost")
            }
            try require(batch.count <= 5, "a batch of \(batch.count) where 5 is the bound")
        }
        try requireEqual(member.state.offsets(partition), Array(0..<Offset(count)), "offsets")
    }

    /// What a consumer holds fetched ahead shows when the log drops the records behind its back: those it still gives.
    static func aConsumerThatIsNotReadHoldsNoMoreThanItsBound(_ scene: Scene) async throws {
        let (size, bound) = (300 << 10, 512 << 10)
        let log = try await scene.open()
        let topic = try await scene.topic(retention: Retention(bytesPerPartition: 3 << 20))
        let partition = TopicPartition(topic, 0)
        let member = try await scene.member(log, [topic]) {
            $0.maxBufferedBytes = bound
            $0.maxBatchRecords = 1
        }
        try await log.produce(numbered(0..<1, for: topic, padding: size))
        try await member.step(until: "the first record") { !$0.records.isEmpty }
        for number in 1..<40 { try await log.produce(numbered(number..<number + 1, for: topic, padding: size)) }
        try await eventually("the oldest records go") {
            try await scene.subject.sweep()
            return try await scene.watermarks(log, partition).low > 15
        }
        let held = try await scene.watermarks(log, partition)
        // A log may keep what is on its way for a moment, in case the caller goes on.
        try await Task.sleep(for: .seconds(1))
        try await member.step(until: "the end of what it holds") { !$0.outOfRange.isEmpty }
        let ahead = member.state.records.count - 1
        try require(
            ahead * size <= bound + size, "\(ahead) records of \(size) bytes were fetched ahead, the bound is \(bound)")
        try await member.consumer.seek(partition, to: held.low)
        try await member.step(until: "the rest") { $0.records.last?.offset == 39 }
    }

    /// Each key's values must be 1, 2, 3, … up to its count, in this order.
    private static func requireSequences(_ stored: [StoredRecord], _ counts: [String: Int]) throws {
        var seen: [String: [Int]] = [:]
        for record in stored {
            let key = String(decoding: record.key ?? [], as: UTF8.self)
            seen[key, default: []].append(Int(String(decoding: record.value ?? [], as: UTF8.self)) ?? -1)
        }
        try requireEqual(Set(seen.keys), Set(counts.keys), "keys")
        for (key, count) in counts { try requireEqual(seen[key] ?? [], Array(1...count), "values of \(key)") }
    }

    private static func number(_ record: StoredRecord) -> Int? {
        record.value.flatMap { Int(String(decoding: $0.prefix { $0 != UInt8(ascii: ".") }, as: UTF8.self)) }
    }
}
