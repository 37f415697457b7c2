import EventLog
import EventLogTesting
import Logging
import Synchronization

@testable import Processing

/// The log of a simulated world: two topics of one partition, outputs, and one group whose commits are fenced by the
/// epoch of their owner.
final class SimulatedLog: Sendable {
    static let main = TopicPartition("main", 0)
    static let side = TopicPartition("side", 0)

    /// What becomes of a call that commits.
    enum Fate: Sendable {
        case done
        /// Refused for a passing reason: nothing happened.
        case refused
        /// It happened, and the caller hears of a passing reason.
        case answerLost
        /// It happened, and the caller dies before it hears of it.
        case ownerDies
    }

    struct Content {
        var records: [TopicPartition: [StoredRecord]] = [:]
        var outputs: [Record] = []
        var commits: [TopicPartition: Commit] = [
            SimulatedLog.main: Commit(offset: 0), SimulatedLog.side: Commit(offset: 0),
        ]
        /// Commits of any other epoch are refused.
        var epoch = 0
        /// Fates of the next calls; then all are done.
        var fates: [Fate] = []
        var complaints: [String] = []
    }

    /// Kafka's outputs are written before the commit, and by zombies too; SQLite's are one transaction with it.
    let isTransactional: Bool
    let content = Mutex(Content())

    init(isTransactional: Bool) { self.isTransactional = isTransactional }

    func append(_ source: TopicPartition, key: String, value: String, at time: Timestamp) {
        content.withLock { content in
            let offset = Offset(content.records[source]?.count ?? 0)
            let record = StoredRecord(
                source: source, offset: offset, key: Array(key.utf8), value: Array(value.utf8), headers: Headers(),
                timestamp: time)
            content.records[source, default: []].append(record)
        }
    }

    func records(_ source: TopicPartition) -> [StoredRecord] { content.withLock { $0.records[source] ?? [] } }
    func progress(_ source: TopicPartition) -> Progress { content.withLock { Progress($0.commits[source]!) } }

    fileprivate func commit(_ commits: [TopicPartition: Commit], _ outputs: [Record], by epoch: Int) throws(LogError) -> Fate {
        let fate = content.withLock { $0.fates.isEmpty ? .done : $0.fates.removeFirst() }
        if case .refused = fate { throw LogError(.unavailable, "simulated") }
        let isFenced = content.withLock { content in
            let isFenced = content.epoch != epoch
            if !isFenced || !isTransactional { content.outputs += outputs }
            if isFenced { return true }
            for (source, commit) in commits { content.store(commit, source) }
            return false
        }
        if isFenced { throw LogError(.fenced, "simulated") }
        return fate
    }
}

extension SimulatedLog.Content {
    fileprivate mutating func store(_ commit: Commit, _ source: TopicPartition) {
        if commit.offset < commits[source]!.offset { complaints.append("\(source) lowered to \(commit.offset)") }
        if commit.metadata.utf8.count > Commit.maxMetadataBytes { complaints.append("the note is too long") }
        let (before, after) = (Progress(commits[source]!), Progress(commit))
        for (offset, known) in before.tries where after.parked.contains(offset) {
            guard let tries = after.tries[offset], tries.attempts >= known.attempts, tries.seconds >= known.seconds else {
                complaints.append("tries of \(offset) were forgotten")
                continue
            }
        }
        commits[source] = commit
    }
}

/// One owner's membership.
struct SimulatedConsumer: ForwardingConsumer {
    var base: any Consumer { SilentConsumer() }
    struct Died: Error {}
    let log: SimulatedLog
    let epoch: Int
    /// Set when the owner dies in a call.
    let hasDied: Mutex<Bool>.Box

    func commit(_ commits: [TopicPartition: Commit], outputs: [Record]) async throws(LogError) {
        switch try log.commit(commits, outputs, by: epoch) {
        case .done, .refused: return
        case .answerLost: throw LogError(.unavailable, "simulated")
        case .ownerDies:
            hasDied.set(true)
            throw LogError(.closed, "simulated")
        }
    }

    func produce(_ records: [Record], for sources: [TopicPartition]) async throws(LogError) -> [RecordPosition] {
        try await commit([:], outputs: records)
        return []
    }
}

extension Mutex where Value == Bool {
    /// A flag that values share.
    final class Box: Sendable {
        private let flag = Mutex(false)
        var isSet: Bool { flag.withLock { $0 } }
        func set(_ value: Bool) { flag.withLock { $0 = value } }
    }
}

/// A clock on which every sleep is over at once: repeating what failed takes no time.
struct InstantClock: Clock {
    typealias Instant = ManualClock.Instant
    var now: Instant { Instant(sinceStart: .zero) }
    var minimumResolution: Duration { .nanoseconds(1) }
    func sleep(until deadline: Instant, tolerance: Duration?) async throws {}
}
