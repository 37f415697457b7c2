import EventLog

/// Topics, watermarks, groups, lag, and the end of a client.
enum AdminCases {
    static func creatingATopicAgainChangesNothing(_ scene: Scene) async throws {
        let log = try await scene.open()
        let spec = TopicSpec(scene.freeTopic("new"), partitions: 3, retention: .delete(days: 1))
        try await log.admin.createTopics([spec])
        try await log.produce(numbered(0..<3, for: spec.topic))
        try await scene.open().admin.createTopics([spec])
        try requireEqual(try await log.admin.partitions(of: spec.topic).count, 3, "partitions")
        try requireEqual(try await scene.readAll(log, spec.topic).count, 3, "records")
        try await requireError(.topicMismatch, from: "another partition count") {
            try await log.admin.createTopics([TopicSpec(spec.topic, partitions: 4, retention: spec.retention)])
        }
        try requireEqual(try await log.admin.partitions(of: spec.topic).count, 3, "partitions after the refusal")
    }

    static func topicsAreCreatedByManyAtOnce(_ scene: Scene) async throws {
        let specs = (0..<5).map { TopicSpec(scene.freeTopic("new\($0)"), partitions: 2, retention: .compact) }
        let logs = [try await scene.open(), try await scene.open(), try await scene.open()]
        try await withThrowingTaskGroup(of: Void.self) { group in
            for log in logs { group.addTask { try await log.admin.createTopics(specs) } }
            try await group.waitForAll()
        }
        let found = try await logs[0].admin.topics().filter { topic in specs.contains { $0.topic == topic.topic } }
        try requireEqual(
            found.sorted { $0.topic < $1.topic }, specs.map { TopicDescription(topic: $0.topic, partitions: 2) },
            "topics")
    }

    static func namesThatKafkaWouldNotTakeAreRefused(_ scene: Scene) async throws {
        let log = try await scene.open()
        for name in ["", ".", "a b", "größe", String(repeating: "t", count: 250)] {
            try await requireError(.invalidTopic, from: "a topic named \"\(name)\"") {
                try await log.admin.createTopics([TopicSpec(Topic(name), partitions: 1, retention: .compact)])
            }
        }
    }

    static func aTopicThatIsNotThereIsUnknown(_ scene: Scene) async throws {
        let log = try await scene.open()
        let missing = scene.freeTopic("missing")
        try await requireError(.unknownTopic, from: "a produce") { try await log.produce(numbered(0..<1, for: missing)) }
        try await requireError(.unknownTopic, from: "watermarks") {
            try await log.admin.watermarks(of: [TopicPartition(missing, 0)])
        }
        try await requireError(.unknownTopic, from: "partitions") { try await log.admin.partitions(of: missing) }
        let reader = try await log.reader()
        try await requireError(.unknownTopic, from: "a read") {
            try await reader.read(TopicPartition(missing, 0), from: 0, maxRecords: 1, waitingUpTo: .zero)
        }
        await reader.close()
        // A misdirected record does no harm to others.
        let topic = try await scene.topic()
        try requireEqual(try await log.produce(numbered(0..<1, for: topic)).count, 1, "positions")
    }

    static func aPartitionThatIsNotThereIsUnknown(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 2)
        try await requireError(.unknownTopic, from: "a produce") {
            try await log.produce(numbered(0..<1, for: topic, partition: 2))
        }
        try await requireError(.unknownTopic, from: "watermarks") {
            try await log.admin.watermarks(of: [TopicPartition(topic, 0), TopicPartition(topic, 2)])
        }
        let reader = try await log.reader()
        try await requireError(.unknownTopic, from: "a read") {
            try await reader.read(TopicPartition(topic, 2), from: 0, maxRecords: 1, waitingUpTo: .zero)
        }
        await reader.close()
        try requireEqual(try await log.produce(numbered(0..<1, for: topic)).count, 1, "positions")
    }

    static func watermarksFollowTheRecords(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 2)
        let (first, second) = (TopicPartition(topic, 0), TopicPartition(topic, 1))
        let admin = try await scene.open().admin
        let empty = Watermarks(low: 0, high: 0)
        try requireEqual(try await admin.watermarks(of: [first, second]), [first: empty, second: empty], "watermarks")
        try await log.produce(numbered(0..<7, for: topic))
        try requireEqual(
            try await admin.watermarks(of: [first, second]), [first: Watermarks(low: 0, high: 7), second: empty],
            "watermarks")
    }

    static func lagIsWhatTheGroupHasNotFinished(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 2)
        let (first, second) = (TopicPartition(topic, 0), TopicPartition(topic, 1))
        try await log.produce(numbered(0..<10, for: topic) + numbered(0..<4, for: topic, partition: 1))
        func lag() async throws -> [TopicPartition: Int64] { try await log.admin.lag(of: scene.group, topics: [topic]) }
        try requireEqual(try await lag(), [first: 10, second: 4], "lag of a group that is not there")
        let member = try await scene.member(log, [topic])
        try await member.step(until: "all records") { $0.records.count >= 14 }
        try await member.consumer.commit([first: Commit(offset: 7), second: Commit(offset: 4)])
        try requireEqual(try await lag(), [first: 3, second: 0], "lag")
        try await log.produce(numbered(10..<12, for: topic))
        try requireEqual(try await lag(), [first: 5, second: 0], "lag after more records")
    }

    static func groupsShowTheirLiveMembers(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 3)
        func found() async throws -> GroupDescription? {
            try await log.admin.groups().first { $0.group == scene.group }
        }
        try requireEqual(try await found()?.members.count ?? 0, 0, "members of a group that is not there")
        let member = try await scene.member(log, [topic])
        member.pump()
        try await member.wait(for: "assignment") { $0.owned.count == 3 }
        try await eventually("the member is shown with its partitions") {
            try await found()?.members.values.map { $0.sorted() } == [(0..<3).map { TopicPartition(topic, $0) }]
        }
        await member.close()
        try await eventually("the member is gone") { try await found()?.members.isEmpty ?? true }
    }

    static func aGroupIsBornOnPurpose(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic(partitions: 2)
        let (first, second) = (TopicPartition(topic, 0), TopicPartition(topic, 1))
        try await log.produce(numbered(0..<10, for: topic))
        let birth = Commit(offset: 4, metadata: "born")
        try await log.admin.setCommits([first: birth], of: scene.group)
        try requireEqual(
            try await log.admin.commits(of: scene.group, in: [first, second]), [first: birth], "commits from outside")
        let member = try await scene.member(log, [topic])
        try await member.step(until: "the rest") { $0.records.count >= 6 }
        try requireEqual(member.state.owned[first], birth, "commit given to the first owner")
        try requireEqual(member.state.offsets(first), Array(4..<10), "offsets")
    }

    static func aLiveGroupIsNotMovedFromOutside(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let partition = TopicPartition(topic, 0)
        let member = try await scene.member(log, [topic])
        try await member.step(until: "assignment") { !$0.owned.isEmpty }
        try await member.consumer.commit([partition: Commit(offset: 0, metadata: "own")])
        try await requireError(.groupActive, from: "setting commits of a group with a live member") {
            try await scene.open().admin.setCommits([partition: Commit(offset: 7)], of: scene.group)
        }
        try requireEqual(
            try await scene.commit(log, partition), Commit(offset: 0, metadata: "own"), "commit after the refusal")
    }

    static func aGroupWithoutMembersIsWoundBack(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let partition = TopicPartition(topic, 0)
        try await log.produce(numbered(0..<10, for: topic))
        let first = try await scene.member(log, [topic], .init(commits: true))
        try await first.step(until: "all records") { $0.records.count >= 10 }
        await first.close()
        try await log.admin.setCommits([partition: Commit(offset: 2, metadata: "wound back")], of: scene.group)
        let again = try await scene.member(log, [topic])
        try await again.step(until: "the records from 2 on") { $0.records.count >= 8 }
        try requireEqual(again.state.offsets(partition), Array(2..<10), "offsets")
    }

    static func aClosedLogSaysSo(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let partition = TopicPartition(topic, 0)
        let member = try await scene.member(log, [topic])
        try await member.step(until: "assignment") { !$0.owned.isEmpty }
        let reader = try await log.reader()
        let (producer, admin) = (log.producer, log.admin)
        await log.close()
        try await requireError(.closed, from: "produce") { try await producer.produce(numbered(0..<1, for: topic)) }
        try await requireError(.closed, from: "admin") { try await admin.watermarks(of: [partition]) }
        try await requireError(.closed, from: "opening a reader") { try await log.reader() }
        try await requireError(.closed, from: "reading") {
            try await reader.read(partition, from: 0, maxRecords: 1, waitingUpTo: .zero)
        }
        try await requireError(.closed, from: "joining a group") {
            try await log.consumer(ConsumerConfiguration(group: scene.group, topics: [topic]))
        }
        try await requireError(.closed, .fenced, from: "a commit") {
            try await member.consumer.commit([partition: Commit(offset: 1)])
        }
        await log.close()
    }

    static func aClosedConsumerEndsItsEvents(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        let member = try await scene.member(log, [topic])
        member.pump()
        try await member.wait(for: "assignment") { !$0.owned.isEmpty }
        await member.consumer.close()
        try await member.wait(for: "the end of its events") { $0.ended }
        try await requireError(.closed, .fenced, from: "a commit after close") {
            try await member.consumer.commit([TopicPartition(topic, 0): Commit(offset: 1)])
        }
        try requireEqual(try await scene.commit(log, TopicPartition(topic, 0)), nil, "commit")
    }

    static func closingTheLogFlushesTheProducer(_ scene: Scene) async throws {
        let log = try await scene.open()
        let topic = try await scene.topic()
        for number in 0..<50 { log.producer.send(numbered(number..<number + 1, for: topic)) { _ in } }
        await log.close()
        let stored = try await scene.readAll(try await scene.open(), TopicPartition(topic, 0))
        try requireEqual(stored.map(\.value), (0..<50).map { bytes("\($0)") }, "values sent before close")
    }
}
