import EventLog
import KafkaLog
import Synchronization
import Testing

/// Members that come and go. The mock lets a rebalance wait for the session time-out less a second.
@Suite struct GroupTests {
    @Test func twoMembersShareAndOneTakesOver() async throws {
        let on = try await MockLog(["t": 4]) { $0.revocationGrace = .seconds(1) }
        let other = try await MockLog.open(on.mock) { $0.revocationGrace = .seconds(1) }
        let first = Following(try await on.log.member("g", ["t"]))
        try await eventually("the only member owns all") { first.owned.count == 4 }
        let second = Following(try await other.member("g", ["t"]))
        try await eventually("each owns a half") {
            first.owned.count == 2 && second.owned.count == 2 && first.owned.isDisjoint(with: second.owned)
        }
        // Refused where the group moves once more, as it does when a slow machine keeps heartbeats from the coordinator.
        let commit = Commit(offset: 3, metadata: "from the second")
        var committed: TopicPartition?
        try await eventually("the second commits") {
            guard let own = second.owned.sorted().first else { return false }
            do {
                try await second.member.commit([own: commit])
            } catch let error as LogError where error.code == .fenced {
                return false
            }
            committed = own
            return true
        }
        let handed = try #require(committed)
        await other.close()
        try await eventually("the first takes over, from the second's commit") {
            first.owned.count == 4 && first.commits[handed] == commit
        }
        await on.log.close()
    }

    @Test func equalTopicsAreAssignedTogether() async throws {
        let on = try await MockLog(["t": 4, "u": 4]) { $0.revocationGrace = .seconds(1) }
        let other = try await MockLog.open(on.mock) { $0.revocationGrace = .seconds(1) }
        let first = Following(try await on.log.member("g", ["t", "u"]))
        let second = Following(try await other.member("g", ["t", "u"]))
        try await eventually("both own half") { first.owned.count == 4 && second.owned.count == 4 }
        for member in [first, second] {
            let owned = member.owned
            let numbers = { (topic: Topic) in Set(owned.filter { $0.topic == topic }.map(\.partition)) }
            #expect(numbers("t") == numbers("u"))
        }
        await on.log.close()
        await other.close()
    }

    @Test func revokedPartitionsThatAreNotReleasedAreLost() async throws {
        let on = try await MockLog(["t": 2]) { $0.revocationGrace = .milliseconds(500) }
        let other = try await MockLog.open(on.mock)
        let first = try await on.log.member("g", ["t"])
        try await first.begin()
        let second = try await other.member("g", ["t"])
        var events: [String] = []
        while events.count < 2 {
            switch try await first.nextEvent() {
            case .revoked(let partitions): events.append("revoked \(partitions.count)")
            case .lost(let partitions): events.append("lost \(partitions.count)")
            default: continue
            }
        }
        #expect(events == ["revoked 2", "lost 2"])
        #expect(await code { try await first.commit([TopicPartition("t", 0): Commit(offset: 1)]) } == .fenced)
        _ = second
        await on.log.close()
        await other.close()
    }
}

/// A member whose events are taken as they come, as a well-behaved processor would.
final class Following: Sendable {
    let member: any Consumer
    private let state = Mutex((owned: Set<TopicPartition>(), commits: [TopicPartition: Commit]()))

    var owned: Set<TopicPartition> { state.withLock { $0.owned } }
    var commits: [TopicPartition: Commit] { state.withLock { $0.commits } }

    init(_ member: any Consumer) {
        self.member = member
        Task { try await self.follow() }
    }

    private func follow() async throws {
        while let event = try await member.next() {
            switch event {
            case .assigned(let assigned):
                state.withLock { $0 = (Set(assigned.keys), assigned.compactMapValues { $0 }) }
                // Refused when the group has moved on meanwhile: a revocation follows.
                try? await member.start(at: assigned.mapValues { $0?.offset ?? 0 })
            case .revoked(let partitions):
                state.withLock { $0.owned.subtract(partitions) }
                try? await member.release(partitions)
            case .lost(let partitions): state.withLock { $0.owned.subtract(partitions) }
            case .records, .outOfRange: break
            }
        }
    }
}
