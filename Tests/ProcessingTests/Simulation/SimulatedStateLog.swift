import EventLog
import Synchronization

/// One partition of a state topic, with the commits of its group.
///
/// Compaction works like Kafka's: not in the segment that is being written, which only an append can close, and not
/// within `min.compaction.lag.ms`, here: what came after the live owner's last but one success.
final class SimulatedStateLog: Log {
    static let partition = TopicPartition("state.g", 0)

    struct Content {
        var records: [StoredRecord] = []
        var next: Offset = 0
        var closedBelow: Offset = 0
        var lag: [Offset] = [0, 0, 0]
        var commit = Commit(offset: 0)
        var generation = 0
        var now = Timestamp(seconds: 1_000_000)
        var complaints: [String] = []
    }

    /// Like SQLite: a call is one transaction, and none of a former owner succeeds.
    let isAtomic: Bool
    let content = Mutex(Content())

    init(isAtomic: Bool) { self.isAtomic = isAtomic }

    var generation: Int { content.withLock(\.generation) }
    func beginGeneration() -> Int {
        content.withLock { content in
            content.generation += 1
            return content.generation
        }
    }
    /// The live owner has succeeded.
    func settled() { content.withLock { $0.lag = Array($0.lag.dropFirst() + [$0.next]) } }

    func commit(_ commit: Commit, by generation: Int) throws(LogError) {
        let isFenced = content.withLock { content in
            if content.generation != generation { return true }
            if commit.offset < content.commit.offset { content.complaints.append("lowered to \(commit.offset)") }
            content.commit = commit
            return false
        }
        if isFenced { throw LogError(.fenced, "simulated") }
    }

    func append(_ record: Record, rolls: Bool) -> Offset {
        content.withLock { content in
            if rolls { content.closedBelow = content.next }
            content.records.append(
                StoredRecord(
                    source: Self.partition, offset: content.next, key: record.key, value: record.value,
                    headers: record.headers, timestamp: content.now))
            content.next += 1
            return content.next - 1
        }
    }

    private func end(_ content: Content) -> Offset {
        isAtomic ? content.next : min(content.closedBelow, content.lag[0])
    }

    func compact() {
        content.withLock { content in
            let end = end(content)
            let newest = Dictionary(
                content.records.filter { $0.offset < end }.map { ($0.key, $0.offset) }, uniquingKeysWith: { max($0, $1) })
            content.records.removeAll { $0.offset < end && newest[$0.key] != $0.offset }
        }
    }

    /// A day passes: compaction removes what is removed.
    func letTombstonesGo() {
        compact()
        content.withLock { content in
            let end = end(content)
            content.now = content.now + .seconds(86_400)
            content.records.removeAll { $0.offset < end && $0.value == nil }
        }
    }

    var producer: any Producer { preconditionFailure("unused") }
    var admin: any Admin { SimulatedStateAdmin(log: self) }
    func consumer(_ configuration: ConsumerConfiguration) async throws(LogError) -> any Consumer {
        throw LogError(.unsupported, "simulated")
    }
    func reader() async throws(LogError) -> any Reader { SimulatedStateReader(log: self) }
    func close() async {}
}

private struct SimulatedStateReader: Reader {
    let log: SimulatedStateLog

    func read(
        _ partition: TopicPartition, from offset: Offset, maxRecords: Int, waitingUpTo wait: Duration
    ) async throws(LogError) -> [StoredRecord] {
        // Short pages, so that restores have some.
        log.content.withLock { Array($0.records.lazy.filter { $0.offset >= offset }.prefix(min(maxRecords, 7))) }
    }
    func close() async {}
}

private struct SimulatedStateAdmin: Admin {
    let log: SimulatedStateLog

    func watermarks(of partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Watermarks] {
        [SimulatedStateLog.partition: Watermarks(low: 0, high: log.content.withLock(\.next))]
    }
    func createTopics(_ specs: [TopicSpec]) async throws(LogError) {}
    func topics() async throws(LogError) -> [TopicDescription] { [] }
    func offsets(at time: Timestamp, of partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Offset] {
        [:]
    }
    func groups() async throws(LogError) -> [GroupDescription] { [] }
    func commits(of group: String, in partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Commit] {
        [:]
    }
    func setCommits(_ commits: [TopicPartition: Commit], of group: String) async throws(LogError) {}
}
