import EventLog
import Foundation
import Testing

@testable import SQLiteLog

@Suite struct GroupTests {
    @Test func twoMembersOfTwoProcessesShareAndTakeOverWhenOneLeaves() async throws {
        try await withLog { log, folder in
            try await log.admin.createTopics([spec("a", partitions: 4), spec("b", partitions: 4)])
            let other = try await SQLiteLog.open(path: folder.file)
            let first = try await Member(log, group: "g", topics: ["a", "b"])
            try await eventually { await first.owned.count == 8 }

            let second = try await Member(other, group: "g", topics: ["b", "a"])
            try await eventually {
                let (mine, others) = (await first.owned, await second.owned)
                return mine.count == 4 && others.count == 4 && mine.isDisjoint(with: others)
            }
            // Partitions of one number have one owner, whatever the topic.
            let numbers = Dictionary(grouping: await first.owned, by: \.partition)
            #expect(numbers.values.allSatisfy { $0.count == 2 })
            let described = try await log.admin.groups()
            #expect(described.first?.members.values.map(\.count) == [4, 4])

            await second.leave()
            try await eventually { await first.owned.count == 8 }
            #expect(await first.lost.isEmpty)
            await first.leave()
            await other.close()
        }
    }

    @Test func twoMembersOfOneProcessShare() async throws {
        try await withLog { log, _ in
            try await log.admin.createTopics([spec("t", partitions: 3)])
            let first = try await Member(log, group: "g", topics: ["t"])
            let second = try await Member(log, group: "g", topics: ["t"])
            try await eventually {
                let counts = [await first.owned.count, await second.owned.count]
                return counts.sorted() == [1, 2]
            }
            await first.leave()
            await second.leave()
        }
    }

    @Test func recordsOfAHandedOverPartitionGoOnAtTheCommit() async throws {
        try await withLog { log, _ in
            try await log.admin.createTopics([spec("t", partitions: 2)])
            try await log.produce((0..<10).map { record("t", "k", "\($0)", partition: $0 % 2) })
            let first = try await Member(log, group: "g", topics: ["t"])
            try await eventually { await first.records.count == 10 }
            try await first.consumer.commit([
                TopicPartition("t", 0): Commit(offset: 3), TopicPartition("t", 1): Commit(offset: 3),
            ])
            let second = try await Member(log, group: "g", topics: ["t"])
            try await eventually { await second.records.count == 2 }
            #expect(await second.records.map(\.offset) == [3, 4])
            await first.leave()
            await second.leave()
        }
    }

    @Test func aMemberThatDoesNotReleaseLosesThePartitionAndIsFenced() async throws {
        var configuration = SQLiteLogConfiguration()
        configuration.lease = .milliseconds(600)
        configuration.revocationGrace = .milliseconds(300)
        try await withLog(configuration) { log, _ in
            try await log.admin.createTopics([spec("t", partitions: 2), spec("out")])
            let stubborn = try await Member(log, group: "g", topics: ["t"], releases: false)
            try await eventually { await stubborn.owned.count == 2 }
            let second = try await Member(log, group: "g", topics: ["t"])
            try await eventually { [await second.owned.count, await stubborn.lost.count] == [1, 1] }
            let gone = try #require(await stubborn.lost.first)
            #expect(await second.owned == [gone])

            let commit = await failure {
                try await stubborn.consumer.commit([gone: Commit(offset: 1)], outputs: [record("out", "k", "stale")])
            }
            #expect(commit == .fenced)
            let produce = await failure {
                try await stubborn.consumer.produce([record("out", "k", "stale")], for: [gone])
            }
            #expect(produce == .fenced)
            let marks = try await log.admin.watermarks(of: [TopicPartition("out", 0)])
            #expect(marks.values.first?.high == 0)
            #expect(try await log.admin.commits(of: "g", in: [gone]).isEmpty)

            try await second.consumer.commit([gone: Commit(offset: 0)], outputs: [record("out", "k", "valid")])
            await stubborn.leave()
            await second.leave()
        }
    }

    @Test func membersMustSubscribeAlike() async throws {
        try await withLog { log, _ in
            try await log.admin.createTopics([spec("a"), spec("b")])
            let first = try await Member(log, group: "g", topics: ["a"])
            let unlike = await failure { _ = try await Member(log, group: "g", topics: ["a", "b"]) }
            #expect(unlike == .invalidConfiguration)
            let unknown = await failure { _ = try await Member(log, group: "h", topics: ["c"]) }
            #expect(unknown == .unknownTopic)
            await first.leave()
            let later = try await Member(log, group: "g", topics: ["a", "b"])
            try await eventually { await later.owned.count == 2 }
            await later.leave()
        }
    }

    @Test func aMemberWithTheSameInstanceIDReplacesTheOlderOne() async throws {
        try await withLog { log, _ in
            try await log.admin.createTopics([spec("t")])
            let configuration = ConsumerConfiguration(group: "g", topics: ["t"], instanceID: "pod-0")
            let older = try await log.consumer(configuration)
            let newer = try await log.consumer(configuration)
            var fate: LogError.Code?
            repeat { fate = await failure { _ = try await older.next() } } while fate == nil
            #expect(fate == .fatal)
            let stale = await failure { try await older.commit([TopicPartition("t", 0): Commit(offset: 0)]) }
            #expect(stale == .fenced)
            guard case .assigned = try await newer.next() else {
                Issue.record("the newer member owns the partition")
                return
            }
            await older.close()
            try await newer.commit([TopicPartition("t", 0): Commit(offset: 0)])
            await newer.close()
        }
    }

    @Test func commitsAreSetFromOutsideOnlyWhileNobodyReads() async throws {
        try await withLog { log, _ in
            try await log.admin.createTopics([spec("t")])
            let partition = TopicPartition("t", 0)
            let member = try await Member(log, group: "g", topics: ["t"])
            let active = await failure { try await log.admin.setCommits([partition: Commit(offset: 0)], of: "g") }
            #expect(active == .groupActive)
            await member.leave()
            try await log.admin.setCommits([partition: Commit(offset: 0)], of: "g")
            let note = String(repeating: "x", count: Commit.maxMetadataBytes + 1)
            let tooLarge = await failure {
                try await log.admin.setCommits([partition: Commit(offset: 0, metadata: note)], of: "g")
            }
            #expect(tooLarge == .metadataTooLarge)
        }
    }

    @Test func rangeGivesNeighboursInNearEqualShares() {
        let members = ["b", "c", "a"]
        let shares = ["a", "b", "c"].map { RangeAssignment.partitions(of: $0, among: members, count: 8) }
        #expect(shares == [0..<3, 3..<6, 6..<8])
        #expect(RangeAssignment.partitions(of: "c", among: members, count: 2).isEmpty)
    }
}
