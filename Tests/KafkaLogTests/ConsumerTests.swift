import EventLog
import KafkaLog
import Testing

@Suite struct ConsumerTests {
    let t0 = TopicPartition("t", 0)

    @Test func nothingIsReadBeforeStart() async throws {
        let on = try await MockLog(["t": 1])
        try await on.log.produce((0..<5).map { record("t", "\($0)") })
        let member = try await on.log.member("g", ["t"])
        guard case .assigned(let commits) = try await member.nextEvent() else {
            Issue.record("assignment comes first")
            return
        }
        #expect(commits == [t0: nil])
        // The next event is the first record from where `start` says, so nothing came before it.
        try await member.start(at: [t0: 3])
        #expect(text(try await member.take(2)) == ["3", "4"])
        await on.log.close()
    }

    @Test func startMustNameEveryPartition() async throws {
        let on = try await MockLog(["t": 2])
        let member = try await on.log.member("g", ["t"])
        guard case .assigned = try await member.nextEvent() else { return }
        #expect(await code { try await member.start(at: [t0: 0]) } == .invalidConfiguration)
        try await member.start(at: [t0: 0, TopicPartition("t", 1): 0])
        await on.log.close()
    }

    @Test func batchesAreBoundedAndInOrder() async throws {
        let on = try await MockLog(["t": 1])
        try await on.log.produce((0..<1_000).map { record("t", "\($0)") })
        let member = try await on.log.member("g", ["t"], maxBatchRecords: 64)
        try await member.begin()
        var seen: [StoredRecord] = []
        while seen.count < 1_000 {
            guard case .records(let partition, let batch) = try await member.nextEvent() else { continue }
            #expect(partition == t0 && (1...64).contains(batch.count))
            seen += batch
        }
        #expect(seen.map(\.offset) == Array(0..<1_000))
        await on.log.close()
    }

    @Test func commitAndItsMetadataComeBackToTheNextOwner() async throws {
        let on = try await MockLog(["t": 2])
        let first = try await on.log.member("g", ["t"])
        try await first.begin()
        let metadata = String(repeating: "ä", count: 2_048)
        try await first.commit([t0: Commit(offset: 7, metadata: metadata)])
        let tooLarge = Commit(offset: 8, metadata: metadata + "x")
        #expect(await code { try await first.commit([t0: tooLarge]) } == .metadataTooLarge)
        await first.close()
        let second = try await on.log.member("g", ["t"])
        let commits = try await second.begin()
        #expect(commits == [t0: Commit(offset: 7, metadata: metadata), TopicPartition("t", 1): nil])
        #expect(try await on.log.admin.commits(of: "g", in: [t0]) == [t0: Commit(offset: 7, metadata: metadata)])
        await on.log.close()
    }

    @Test func outputsAreDurableBeforeTheCommit() async throws {
        let on = try await MockLog(["t": 1, "out": 1])
        let member = try await on.log.member("g", ["t"])
        try await member.begin()
        try await member.commit([t0: Commit(offset: 1)], outputs: [record("out", "reply")])
        #expect(try await on.log.admin.watermarks(of: [TopicPartition("out", 0)]).values.map(\.high) == [1])
        let tooLarge = Record(topic: "out", partition: 0, key: nil, value: Array(repeating: 0, count: 9 << 20))
        #expect(await code { try await member.commit([t0: Commit(offset: 2)], outputs: [tooLarge]) } == .recordTooLarge)
        #expect(try await on.log.admin.commits(of: "g", in: [t0]) == [t0: Commit(offset: 1)])
        await on.log.close()
    }

    @Test func aCommitNeverLowersOurs() async throws {
        let on = try await MockLog(["t": 1])
        let member = try await on.log.member("g", ["t"])
        try await member.begin()
        try await member.commit([t0: Commit(offset: 5, metadata: "a")])
        try await member.commit([t0: Commit(offset: 4, metadata: "b")])
        #expect(try await on.log.admin.commits(of: "g", in: [t0]) == [t0: Commit(offset: 5, metadata: "a")])
        try await member.commit([t0: Commit(offset: 5, metadata: "c")])
        #expect(try await on.log.admin.commits(of: "g", in: [t0]) == [t0: Commit(offset: 5, metadata: "c")])
        await on.log.close()
    }

    @Test func commitsAtOnceAreAllStored() async throws {
        let on = try await MockLog(["t": 8])
        let member = try await on.log.member("g", ["t"])
        let partitions = try await member.begin().keys
        try await withThrowingTaskGroup(of: Void.self) { group in
            for partition in partitions {
                for offset in 1...20 {
                    group.addTask { try await member.commit([partition: Commit(offset: Offset(offset))]) }
                }
            }
            try await group.waitForAll()
        }
        let stored = try await on.log.admin.commits(of: "g", in: Array(partitions))
        #expect(stored.count == 8 && stored.values.allSatisfy { $0.offset == 20 })
        await on.log.close()
    }

    @Test func commitsOfForeignPartitionsAreFenced() async throws {
        let on = try await MockLog(["t": 1, "u": 1])
        let member = try await on.log.member("g", ["t"])
        #expect(await code { try await member.commit([t0: Commit(offset: 1)]) } == .fenced)
        try await member.begin()
        let foreign = TopicPartition("u", 0)
        #expect(await code { try await member.commit([t0: Commit(offset: 1), foreign: Commit(offset: 1)]) } == .fenced)
        #expect(await code { try await member.produce([record("u", "x")], for: [foreign]) } == .fenced)
        #expect(try await on.log.admin.commits(of: "g", in: [t0]).isEmpty)
        #expect(try await member.produce([record("u", "x")], for: [t0]).count == 1)
        await on.log.close()
    }

    @Test func aZombieIsFencedByItsGeneration() async throws {
        let on = try await MockLog(["t": 1])
        let member = try await on.log.member("g", ["t"])
        try await member.begin()
        on.mock.fail(.offsetCommit, with: [.illegalGeneration])
        #expect(await code { try await member.commit([t0: Commit(offset: 1)]) } == .fenced)
        guard case .lost([t0]) = try await member.nextEvent() else {
            Issue.record("a member without generation has lost its partitions")
            return
        }
        #expect(await code { try await member.commit([t0: Commit(offset: 2)]) } == .fenced)
        try await member.begin()
        try await member.commit([t0: Commit(offset: 3)])
        await on.log.close()
    }

    @Test func commitsOutlastACoordinatorThatMovesOrLoads() async throws {
        let on = try await MockLog(["t": 1])
        let member = try await on.log.member("g", ["t"])
        try await member.begin()
        on.mock.fail(.offsetCommit, with: [.coordinatorLoading, .notCoordinator, .rebalanceInProgress])
        try await member.commit([t0: Commit(offset: 1)])
        #expect(try await on.log.admin.commits(of: "g", in: [t0]) == [t0: Commit(offset: 1)])
        await on.log.close()
    }

    @Test func commitsEndWhenTheCoordinatorStaysAway() async throws {
        let on = try await MockLog(["t": 1]) { $0.commitTimeout = .milliseconds(300) }
        let member = try await on.log.member("g", ["t"])
        try await member.begin()
        on.mock.fail(.offsetCommit, with: Array(repeating: .coordinatorLoading, count: 1_000))
        #expect(await code { try await member.commit([t0: Commit(offset: 1)]) } == .unavailable)
        await on.log.close()
    }

    @Test func theGroupsCommitsAreWaitedFor() async throws {
        let on = try await MockLog(["t": 1])
        let first = try await on.log.member("g", ["t"])
        try await first.begin()
        try await first.commit([t0: Commit(offset: 4)])
        await first.close()
        on.mock.fail(.offsetFetch, with: [.coordinatorLoading, .coordinatorLoading, .coordinatorLoading])
        let second = try await on.log.member("g", ["t"])
        #expect(try await second.begin() == [t0: Commit(offset: 4)])
        await on.log.close()
    }

    @Test func closeIsBoundedWithTheBrokersDown() async throws {
        let on = try await MockLog(["t": 1]) { $0.closeTimeout = .milliseconds(500) }
        let member = try await on.log.member("g", ["t"])
        try await member.begin()
        try on.mock.setDown(1)
        await member.close()
        #expect(try await member.next() == nil)
        #expect(await code { try await member.commit([t0: Commit(offset: 1)]) } == .fenced)
        #expect(await code { try await member.seek(t0, to: 0) } == .closed)
        await on.log.close()
        #expect(await code { _ = try await on.log.member("g", ["t"]) } == .closed)
    }

    @Test func cancellingNextEndsIt() async throws {
        let on = try await MockLog(["t": 1])
        let member = try await on.log.member("g", ["t"])
        let waiting = Task { try await member.next() }
        waiting.cancel()
        #expect(try await waiting.value == nil)
        try await member.begin()
        await on.log.close()
    }
}
