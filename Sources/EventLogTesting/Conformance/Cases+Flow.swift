import EventLog

/// A member's control over what it is given: start, pause, resume, seek.
enum FlowCases {
    static func nothingIsReadBeforeStart(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 2)
        for partition in 0..<Int32(2) { try await log.produce(numbered(0..<20, for: topic, partition: partition)) }
        let member = try await scene.member(log, [topic], .init(starts: nil))
        try await member.step(until: "assignment") { $0.owned.count == 2 }
        if let event = try await member.event(within: .milliseconds(300)) {
            throw ConformanceFailure("an event before start: \(String(describing: event).prefix(200))")
        }
        let (first, second) = (TopicPartition(topic, 0), TopicPartition(topic, 1))
        try await member.consumer.start(at: [first: 12, second: 7])
        try await member.step(until: "what remains") { $0.records.count >= 21 }
        try requireEqual(member.state.offsets(first), Array(12..<20), "offsets of the first")
        try requireEqual(member.state.offsets(second), Array(7..<20), "offsets of the second")
    }

    static func aMemberSeesWhatComesLater(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let member = try await scene.member(try await scene.open(), [topic])
        try await member.step(until: "assignment") { !$0.owned.isEmpty }
        for round in 0..<10 {
            try await log.produce(numbered(round..<round + 1, for: topic))
            try await member.step(until: "record \(round)") { $0.records.count == round + 1 }
        }
        try requireEqual(member.state.offsets(TopicPartition(topic, 0)), Array(0..<10), "offsets")
    }

    static func aPausedPartitionIsSilentUntilResumed(_ scene: Scene) async throws {
        let (member, first, second) = try await twoPartitions(scene, records: 150)
        try await member.step(until: "a batch of the first") { !$0.offsets(first).isEmpty }
        try await member.consumer.pause([first])
        let before = member.state.offsets(first).count
        try require(before < 150, "the batch bound of 10 does not hold")
        try await member.step(until: "all of the other") { $0.offsets(second).count >= 150 }
        try requireEqual(member.state.offsets(first).count, before, "records of the paused partition")
        try await member.consumer.resume([first])
        try await member.step(until: "all of the paused one") { $0.offsets(first).count >= 150 }
        for partition in [first, second] {
            try requireEqual(member.state.offsets(partition), Array(0..<150), "offsets, without gap or repetition")
        }
    }

    static func aPartitionMayBePausedBeforeStart(_ scene: Scene) async throws {
        let (member, first, second) = try await twoPartitions(scene, records: 30, habits: .init(starts: nil))
        try await member.step(until: "assignment") { $0.owned.count == 2 }
        try await member.consumer.pause([first])
        try await member.consumer.start(at: [first: 0, second: 0])
        try await member.step(until: "all of the other") { $0.offsets(second).count >= 30 }
        try requireEqual(member.state.offsets(first), [], "records of the paused partition")
        try await member.consumer.resume([first])
        try await member.step(until: "all of the paused one") { $0.offsets(first).count >= 30 }
        try requireEqual(member.state.offsets(first), Array(0..<30), "offsets")
    }

    static func afterSeekNoEarlierRecordComes(_ scene: Scene) async throws {
        let (member, first, second) = try await twoPartitions(scene, records: 300)
        var random = SeededGenerator(seed: 3)
        try await member.step(until: "a batch of each") { state in
            !state.offsets(first).isEmpty && !state.offsets(second).isEmpty
        }
        for round in 0..<15 {
            let target = Offset.random(in: 0..<300, using: &random)
            // Now and then while paused, as a runtime does that winds back.
            let pauses = round % 3 == 0
            if pauses { try await member.consumer.pause([first]) }
            try await member.consumer.seek(first, to: target)
            if pauses { try await member.consumer.resume([first]) }
            let before = member.state.offsets(first).count
            try await member.step(until: "a batch after the seek to \(target)") {
                $0.offsets(first).count > before
            }
            let batch = Array(member.state.offsets(first)[before...])
            try requireEqual(batch, Array(target..<target + Offset(batch.count)), "offsets after the seek to \(target)")
        }
        try await member.step(until: "the other partition, undisturbed") { $0.offsets(second).count >= 300 }
        try requireEqual(member.state.offsets(second), Array(0..<300), "offsets of the other partition")
    }

    static func seekToTheEndWaitsForWhatIsNew(_ scene: Scene) async throws {
        let (member, first, _) = try await twoPartitions(scene, records: 50)
        try await member.step(until: "a batch of the first") { !$0.offsets(first).isEmpty }
        try await member.consumer.seek(first, to: 50)
        let before = member.state.offsets(first).count
        try await scene.open().produce(numbered(50..<51, for: first.topic, partition: first.partition))
        try await member.step(until: "the new record") { $0.offsets(first).count > before }
        try requireEqual(Array(member.state.offsets(first)[before...]), [50], "offsets after the seek to the end")
    }

    static func aConsumerOutsideOfTheRangeSaysSo(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 2)
        let (first, second) = (TopicPartition(topic, 0), TopicPartition(topic, 1))
        for partition in 0..<Int32(2) { try await log.produce(numbered(0..<10, for: topic, partition: partition)) }
        let member = try await scene.member(log, [topic], .init(starts: { _ in [first: 500, second: 0] }))
        try await member.step(until: "out of range, and the other partition") {
            !$0.outOfRange.isEmpty && $0.offsets(second).count >= 10
        }
        let event = member.state.outOfRange[0]
        try requireEqual(event.partition, first, "partition out of range")
        try requireEqual(event.requested, 500, "offset out of range")
        try requireEqual(event.held, Watermarks(low: 0, high: 10), "what is held")
        try requireEqual(member.state.offsets(first), [], "records of a partition that stands still")
        try await member.consumer.seek(first, to: event.held.low)
        try await member.step(until: "the partition goes on") { $0.offsets(first).count >= 10 }
        try requireEqual(member.state.offsets(first), Array(0..<10), "offsets")
        try requireEqual(member.state.outOfRange.count, 1, "events out of range")
    }

    private static func twoPartitions(
        _ scene: Scene, records: Int, habits: Member.Habits = .init()
    ) async throws -> (Member, TopicPartition, TopicPartition) {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 2)
        for partition in 0..<Int32(2) {
            try await log.produce(numbered(0..<records, for: topic, partition: partition, padding: 100))
        }
        let member = try await scene.member(log, [topic], habits) { $0.maxBatchRecords = 10 }
        return (member, TopicPartition(topic, 0), TopicPartition(topic, 1))
    }
}
