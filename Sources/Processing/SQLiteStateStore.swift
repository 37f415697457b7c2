import Dispatch
import EventLog
import GRDB

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
    /// Somebody opened the file after us.
    struct Superseded: Error {}

    private let pool: DatabasePool
    private let claim: Int64

    private init(pool: DatabasePool, claim: Int64) {
        self.pool = pool
        self.claim = claim
    }

    /// Opens or creates the file, with its folder, and claims it.
    static func open(_ path: String) async throws -> SQLiteStateStore {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async {
                continuation.resume(with: Result { try openBlocking(path) })
            }
        }
    }

    private static func openBlocking(_ path: String) throws -> SQLiteStateStore {
        let folder = URL(fileURLWithPath: path).deletingLastPathComponent()
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        var configuration = Configuration()
        configuration.maximumReaderCount = 2
        configuration.busyMode = .timeout(5)
        configuration.prepareDatabase { try $0.execute(sql: "PRAGMA synchronous = FULL") }
        let pool = try DatabasePool(path: path, configuration: configuration)
        let claim = try pool.write { db in
            try db.execute(sql: schema)
            return try Int64.fetchOne(db, sql: "UPDATE claim SET number = number + 1 RETURNING number") ?? 0
        }
        return SQLiteStateStore(pool: pool, claim: claim)
    }

    private static let schema = """
        CREATE TABLE IF NOT EXISTS entry (key TEXT PRIMARY KEY, value BLOB NOT NULL, expires INTEGER) WITHOUT ROWID;
        CREATE INDEX IF NOT EXISTS entry_expires ON entry (expires) WHERE expires IS NOT NULL;
        CREATE TABLE IF NOT EXISTS progress (topic TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS exception (topic TEXT NOT NULL, first INTEGER NOT NULL, end INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS claim (number INTEGER NOT NULL);
        INSERT INTO claim SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM claim);
        """

    func value(_ key: String) async throws -> [UInt8]? {
        try await pool.read { db in
            try Data.fetchOne(db.cachedStatement(sql: "SELECT value FROM entry WHERE key = ?"), arguments: [key])
                .map(Array.init)
        }
    }

    /// Where each topic stood when the entries were last written: all below is applied but for the exceptions.
    func progress() async throws -> [Topic: Progress] {
        try await pool.read { db in
            var progress: [Topic: Progress] = [:]
            for row in try Row.fetchAll(db, sql: "SELECT topic, offset FROM progress") {
                progress[Topic(row["topic"])] = Progress(offset: row["offset"])
            }
            for row in try Row.fetchAll(db, sql: "SELECT topic, first, end FROM exception") {
                let (first, end): (Offset, Offset) = (row["first"], row["end"])
                progress[Topic(row["topic"])]?.parked.insert(first..<end)
            }
            return progress
        }
    }

    /// Writes entries and the progress they reflect in one transaction, and forgets some that expired before `now`.
    func write(_ writes: StateWrites, progress: [Topic: Progress], now: Timestamp) async throws {
        let claim = claim
        try await pool.write { db in
            guard try Int64.fetchOne(db.cachedStatement(sql: "SELECT number FROM claim")) == claim else {
                throw Superseded()
            }
            try Self.put(writes, db)
            try Self.put(progress, db)
            try db.cachedStatement(sql: forget).execute(arguments: [now.milliseconds, Self.forgottenAtOnce])
        }
    }

    /// Bound on expired entries removed by one transaction: a crowd of them must not stall the lane.
    private static let forgottenAtOnce = 500

    private static func put(_ writes: StateWrites, _ db: Database) throws {
        let set = try db.cachedStatement(sql: "INSERT OR REPLACE INTO entry (key, value, expires) VALUES (?, ?, ?)")
        let remove = try db.cachedStatement(sql: "DELETE FROM entry WHERE key = ?")
        for (key, entry) in writes {
            if let value = entry.value {
                try set.execute(arguments: [key, Data(value), entry.expires?.milliseconds])
            } else {
                try remove.execute(arguments: [key])
            }
        }
    }

    private static func put(_ progress: [Topic: Progress], _ db: Database) throws {
        for (topic, progress) in progress {
            try db.cachedStatement(sql: "INSERT OR REPLACE INTO progress (topic, offset) VALUES (?, ?)")
                .execute(arguments: [topic.name, progress.offset])
            try db.cachedStatement(sql: "DELETE FROM exception WHERE topic = ?").execute(arguments: [topic.name])
            let add = try db.cachedStatement(sql: "INSERT INTO exception (topic, first, end) VALUES (?, ?, ?)")
            for range in progress.parked.ranges {
                try add.execute(arguments: [topic.name, range.lowerBound, range.upperBound])
            }
        }
    }
}

private let forget = "DELETE FROM entry WHERE key IN (SELECT key FROM entry WHERE expires <= ? LIMIT ?)"
