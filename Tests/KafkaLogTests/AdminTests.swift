import EventLog
import KafkaLog
import Testing

@Suite struct AdminTests {
    let t0 = TopicPartition("t", 0)
    let t1 = TopicPartition("t", 1)

    @Test func createTopicsChecksThePartitionCount() async throws {
        let on = try await MockLog(["t": 12])
        let admin = on.log.admin
        try await admin.createTopics([TopicSpec("t", partitions: 12, retention: .delete(days: 1))])
        try await admin.createTopics([TopicSpec("t", partitions: 12, retention: .delete(days: 1))])
        #expect(
            await code { try await admin.createTopics([TopicSpec("t", partitions: 6, retention: .compact)]) }
                == .topicMismatch)
        #expect(
            await code { try await admin.createTopics([TopicSpec("no/t", partitions: 6, retention: .compact)]) }
                == .invalidTopic)
        // The mock makes what it is asked about, with 4 partitions.
        try await admin.createTopics([TopicSpec("made", partitions: 4, retention: .compact)])
        #expect(
            try await admin.topics() == [
                TopicDescription(topic: "made", partitions: 4), TopicDescription(topic: "t", partitions: 12),
            ])
        #expect(try await admin.partitions(of: "made").count == 4)
        await on.log.close()
    }

    @Test func watermarksAndOffsetsOfManyPartitions() async throws {
        let on = try await MockLog(brokers: 3, ["t": 6])
        try await on.log.produce((0..<3).map { record("t", in: 1, "\($0)") })
        let partitions = try await on.log.admin.partitions(of: "t")
        let held = try await on.log.admin.watermarks(of: partitions)
        #expect(held.count == 6 && held[t0] == Watermarks(low: 0, high: 0) && held[t1] == Watermarks(low: 0, high: 3))
        let latest = try await on.log.admin.offsets(at: Timestamp(seconds: 4_000_000_000), of: [t0, t1])
        #expect(latest == [t0: 0, t1: 3])
        for absent in [TopicPartition("absent", 0), TopicPartition("t", 6)] {
            #expect(await code { _ = try await on.log.admin.watermarks(of: [absent]) } == .unknownTopic)
        }
        await on.log.close()
    }

    @Test func aGroupIsBornOnPurpose() async throws {
        let on = try await MockLog(["t": 2])
        let admin = on.log.admin
        #expect(try await admin.commits(of: "g", in: [t0, t1]).isEmpty)
        try await admin.setCommits([t0: Commit(offset: 2, metadata: "mr1"), t1: Commit(offset: 0)], of: "g")
        let stored = [t0: Commit(offset: 2, metadata: "mr1"), t1: Commit(offset: 0)]
        #expect(try await admin.commits(of: "g", in: [t0, t1]) == stored)
        let member = try await on.log.member("g", ["t"])
        #expect(try await member.begin() == stored.mapValues { Optional($0) })
        #expect(await code { try await admin.setCommits([t0: Commit(offset: 1)], of: "g") } == .groupActive)
        #expect(try await admin.commits(of: "g", in: [t0, t1]) == stored)
        await on.log.close()
    }

    @Test func lagCountsFromTheCommit() async throws {
        let on = try await MockLog(["t": 2])
        try await on.log.produce((0..<5).map { record("t", "\($0)") })
        try await on.log.admin.setCommits([t0: Commit(offset: 3)], of: "g")
        #expect(try await on.log.admin.lag(of: "g", topics: ["t"]) == [t0: 2, t1: 0])
        await on.log.close()
    }

    @Test func whatTheMockCannotIsUnsupported() async throws {
        let on = try await MockLog(["t": 1])
        #expect(await code { _ = try await on.log.admin.groups() } == .unsupported)
        await on.log.close()
    }

    @Test func coordinatorErrorsPass() async throws {
        let on = try await MockLog(["t": 1])
        on.mock.fail(.findCoordinator, with: [.coordinatorNotAvailable, .coordinatorNotAvailable])
        try await on.log.admin.setCommits([t0: Commit(offset: 1)], of: "g")
        #expect(try await on.log.admin.commits(of: "g", in: [t0]) == [t0: Commit(offset: 1)])
        await on.log.close()
    }
}
