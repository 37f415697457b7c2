import EventLog
import Synchronization
import WhatsApp

/// Reads the archive from the log itself: what its group has consumed already is still there.
///
/// That is why no tags are kept in state: a status for each of three thousand sends a second would be a write, for the
/// one take-over in a month that asks for it. A take-over reads the statuses of the last minutes once instead.
final class LogArchive: CommandArchive {
    private let log: any Log
    private let statuses: Topic
    private let results: Topic
    private let searches = Mutex<[Int32: StatusSearch]>([:])
    private let histories = Mutex<[Int32: ResultHistory]>([:])

    init(log: any Log, statuses: Topic, results: Topic) {
        self.log = log
        self.statuses = statuses
        self.results = results
    }

    func acceptance(of commandID: String, in partition: Int32, since: Timestamp) async throws -> OutboundResult? {
        let history = Self.entry(of: partition, in: histories) {
            ResultHistory(log: log, partition: TopicPartition(results, partition))
        }
        return try await history.acceptance(of: commandID, since: since)
    }

    func partitionsChanged(_ owned: Set<Int32>) {
        histories.withLock { histories in histories = histories.filter { owned.contains($0.key) } }
    }

    func evidence(of commandID: String, in partition: Int32, since: Timestamp) async throws -> Evidence? {
        let search = Self.entry(of: partition, in: searches) {
            StatusSearch(log: log, partition: TopicPartition(statuses, partition))
        }
        return try await search.evidence(of: commandID, since: since)
    }

    func record(at position: RecordPosition) async throws -> StoredRecord? {
        try await log.withReader { try await $0.record(position.partition, at: position.offset) }
    }

    func forget(_ commandIDs: some Sequence<String> & Sendable) async {
        for search in searches.withLock({ Array($0.values) }) { await search.forget(commandIDs) }
    }

    private static func entry<Entry: Sendable>(
        of partition: Int32, in table: borrowing Mutex<[Int32: Entry]>, orMake make: () -> Entry
    ) -> Entry {
        table.withLock { table in
            if let entry = table[partition] { return entry }
            let made = make()
            table[partition] = made
            return made
        }
    }
}

/// Looks for commands in one partition of the statuses. Whoever asks while a reading is under way shares the next one, and
/// what was read for a command is not read for it again.
actor StatusSearch {
    private struct Sought {
        /// Read up to here; nil before the first reading.
        var next: Offset?
        var since: Timestamp
        var evidence: Evidence?
        var waiters: [CheckedContinuation<Evidence?, any Error>] = []
    }

    /// WhatsApp's clock, which stamps statuses, may differ from ours, which stamps commands.
    static let skew = Duration.seconds(600)
    /// So many of the newest statuses are read in any case.
    static let leastRecords: Offset = 2_000

    private let log: any Log
    private let partition: TopicPartition
    private var sought: [String: Sought] = [:]
    private var isReading = false

    init(log: any Log, partition: TopicPartition) {
        self.log = log
        self.partition = partition
    }

    func evidence(of commandID: String, since: Timestamp) async throws -> Evidence? {
        if let found = sought[commandID]?.evidence { return found }
        return try await withCheckedThrowingContinuation { waiter in
            sought[commandID, default: Sought(since: since)].waiters.append(waiter)
            if isReading { return }
            isReading = true
            Task { await readForAll() }
        }
    }

    func forget(_ commandIDs: some Sequence<String> & Sendable) {
        for id in commandIDs where sought[id]?.waiters.isEmpty == true { sought[id] = nil }
    }

    private func readForAll() async {
        while true {
            let asked = sought.filter { !$0.value.waiters.isEmpty }
            if asked.isEmpty { break }
            for id in asked.keys { sought[id]?.waiters = [] }
            do {
                let found = try await read(for: asked)
                for (id, evidence) in found { sought[id]?.evidence = evidence }
                for (id, asked) in asked { asked.waiters.forEach { $0.resume(returning: found[id]) } }
            } catch {
                for asked in asked.values { asked.waiters.forEach { $0.resume(throwing: error) } }
            }
        }
        isReading = false
    }

    private func read(for asked: [String: Sought]) async throws -> [String: Evidence] {
        let held = try await log.admin.watermarks(of: [partition])[partition] ?? Watermarks(low: 0, high: 0)
        let offsets = try await start(for: asked, held)..<held.high
        var found: [String: Evidence] = [:]
        try await log.withReader { reader in
            try await reader.forEachRecord(of: partition, in: offsets) { note($0, asked, &found) }
        }
        for id in asked.keys { sought[id]?.next = held.high }
        return found
    }

    private func start(for asked: [String: Sought], _ held: Watermarks) async throws -> Offset {
        var at = held.high
        if let next = asked.values.compactMap(\.next).min() { at = min(at, next) }
        if let since = asked.values.filter({ $0.next == nil }).map(\.since).min() {
            let offset = try await log.admin.offsets(at: since - Self.skew, of: [partition])[partition] ?? held.low
            at = min(at, offset, held.high - Self.leastRecords)
        }
        return max(at, held.low)
    }

    private func note(_ record: StoredRecord, _ asked: [String: Sought], _ found: inout [String: Evidence]) {
        guard let status = try? MessageStatus(record), let id = status.tag?.commandID, asked[id] != nil else { return }
        if found[id] == nil { found[id] = Evidence(status) }
    }
}
