import Dispatch
import EventLog
import GRDB
import Synchronization

import struct Foundation.Data
import class Foundation.FileManager
import struct Foundation.URL

/// The state of one lane on the disk: entries, and the progress they reflect, changed in one transaction.
///
/// Opening claims the file: the claim is counted up, and every write checks it. So an owner that lost its partition and
/// does not know it yet cannot write into its successor's state. GRDB runs everything on queues of its own; a reader
/// does not wait for the writer.
///
/// `synchronous=FULL`: the group's commit follows the transaction and must never be ahead of it after a power failure.
final class SQLiteStateStore: Sendable {
    /// Somebody opened the file after us, or claimed the state's topic.
    struct Superseded: Error {}

    /// What one transaction changes.
    struct Transaction: Sendable {
        var writes: StateWrites = [:]
        var progress: [Topic: Progress] = [:]
        /// Keys whose newest record in the topic must not be believed; those written are not doubted any more.
        var doubts: Set<String> = []
        /// How far this disk follows the topic; nil: unchanged.
        var position: StateHistory.Position?
        /// Entries that do not survive and expired before this are forgotten, some of them.
        var now: Timestamp
    }

    /// What a transaction did beside its writes.
    struct Outcome: Sendable, Equatable {
        /// Entries that went because the state was full.
        var evicted = 0
    }

    let pool: DatabasePool
    private let claim: Int64
    private let survivors: StateKeys
    private let limits: StateLimits
    private let sizes: Mutex<StateSizes>
    /// What the disk knows of each topic, where it is known here.
    private let progressed = Mutex<[Topic: Progress]>([:])
    private let lookups: StateLookups
    private let filter = StateFilter()

    private init(pool: DatabasePool, claim: Int64, survivors: StateKeys, limits: StateLimits, sizes: StateSizes) {
        self.pool = pool
        self.claim = claim
        self.survivors = survivors
        self.limits = limits
        self.sizes = Mutex(sizes)
        lookups = StateLookups(pool, survivors)
    }

    /// Opens or creates the file, with its folder, and claims it.
    static func open(
        _ path: String, survivors: StateKeys = .beginning(with: []), limits: StateLimits = StateLimits()
    ) async throws -> SQLiteStateStore {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(with: Result { try openBlocking(path, survivors, limits) })
            }
        }
    }

    private static func openBlocking(
        _ path: String, _ survivors: StateKeys, _ limits: StateLimits
    ) throws -> SQLiteStateStore {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var configuration = Configuration()
        configuration.maximumReaderCount = 2
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        let pool = try DatabasePool(path: path, configuration: configuration)
        let (store, keys) = try pool.write { db in
            try db.execute(sql: StateTables.schema)
            try StateTables.adoptFormerEntries(survivors, db)
            try StateTables.adoptFormerProgress(db)
            let claim = try Int64.fetchOne(db, sql: "UPDATE claim SET number = number + 1 RETURNING number") ?? 0
            let store = SQLiteStateStore(
                pool: pool, claim: claim, survivors: survivors, limits: limits, sizes: try StateTables.sizes(db))
            return (store, try StateTables.roughCount(db))
        }
        store.fill(expecting: keys)
        return store
    }

    /// Bytes of keys and values.
    var size: StateSizes { sizes.withLock { $0 } }
    /// Surviving entries alone fill the state.
    var isFull: Bool { size[.surviving] >= limits.maxBytes }

    func value(_ key: String) async throws -> [UInt8]? {
        filter.mayHold(key) ? try await lookups.value(key) : nil
    }

    /// Where each topic stood when the entries were last written: all below is applied but for the exceptions.
    func progress() async throws -> [Topic: Progress] { try await pool.read { try StateTables.progress($0) } }

    @discardableResult
    func write(_ transaction: Transaction) async throws -> Outcome {
        let (claim, survivors, limits, before) = (claim, survivors, limits, size)
        let known = progressed.withLock { $0 }
        let news = transaction.progress.filter { known[$0.key] != $0.value }
        // Before it can be found on the disk.
        let keys = filter.insert(transaction.writes.keys)
        defer { if let keys { fill(expecting: keys) } }
        let (outcome, after) = try await pool.write { db in
            guard try StateTables.claim(db) == claim else { throw Superseded() }
            var sizes = before
            try StateTables.put(transaction.writes, survivors, &sizes, db)
            try StateTables.put(news, db)
            try StateTables.settle(transaction, survivors, db)
            try StateTables.forgetExpired(.plain, before: transaction.now, &sizes, db)
            let evicted = try StateTables.evict(downTo: limits.maxBytes, &sizes, db)
            try StateTables.put(sizes, insteadOf: before, db)
            return (Outcome(evicted: evicted), sizes)
        }
        sizes.withLock { $0 = after }
        progressed.withLock { $0.merge(news) { _, new in new } }
        return outcome
    }

    /// Fills the filter with the keys on the disk, in the background: until then lookups go there.
    ///
    /// - Parameter count: of keys, roughly.
    private func fill(expecting count: Int) {
        guard filter.begin(expecting: count) else { return }
        Task.detached(priority: .utility) { [pool, filter] in
            for table in [StateTable.plain, .surviving] {
                var last: Int64 = -1
                while true {
                    // What cannot be read leaves the filter as it is: incomplete.
                    guard let chunk = try? await pool.read({ [last] in try StateTables.keys(in: table, after: last, $0) })
                    else { return }
                    guard let end = chunk.last else { break }
                    filter.insert(chunk.keys)
                    last = end
                }
            }
            filter.complete()
        }
    }

    /// Forgets all that survives, to restore it anew.
    func clearSurvivors() async throws {
        let after = try await pool.write { db in
            try db.execute(sql: "DELETE FROM surviving; DELETE FROM doubt; DELETE FROM position")
            var sizes = try StateTables.sizes(db)
            sizes[.surviving] = 0
            try StateTables.put(sizes, db)
            return sizes
        }
        sizes.withLock { $0 = after }
    }
}

// MARK: What survives

extension SQLiteStateStore {
    /// How far this disk follows the state's topic, and when it was last known to; nil: never did.
    func position() async throws -> (position: StateHistory.Position, at: Timestamp)? {
        try await pool.read { db in
            guard let row = try Row.fetchOne(db, sql: "SELECT next, epoch, at FROM position") else { return nil }
            let position = StateHistory.Position(next: row["next"], epoch: row["epoch"])
            return (position, Timestamp(milliseconds: row["at"]))
        }
    }

    /// Keys to be written to the topic again, with what is believed of them; some of them, if they are many.
    func doubted(limit: Int) async throws -> StateWrites {
        try await pool.read { db in
            let sql = """
                SELECT doubt.key AS key, value, expires FROM doubt LEFT JOIN surviving ON surviving.key = doubt.key LIMIT ?
                """
            return try StateTables.writes(Row.fetchCursor(db, sql: sql, arguments: [limit]))
        }
    }

    /// Surviving entries that expired before `now`, as their removals; some of them.
    func expired(before now: Timestamp, limit: Int) async throws -> StateWrites {
        try await pool.read { db in
            let sql = "SELECT key, NULL AS value, NULL AS expires FROM surviving WHERE expires <= ? ORDER BY expires LIMIT ?"
            return try StateTables.writes(Row.fetchCursor(db, sql: sql, arguments: [now.milliseconds, limit]))
        }
    }

    /// All surviving entries are to be written to a topic that has none of them yet.
    func doubtAll() async throws {
        try await pool.write { db in try db.execute(sql: "INSERT OR IGNORE INTO doubt SELECT key FROM surviving") }
    }
}
