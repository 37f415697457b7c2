import EventLog
import GRDB
import SQLiteParts

import struct Foundation.Data

/// Entries of two kinds: those that go when their disk goes, and those that survive it.
enum StateTable: String, Sendable {
    case plain, surviving

    init(_ key: String, _ survivors: StateKeys) { self = survivors.contains(key) ? .surviving : .plain }
}

/// Bytes of keys and values per table.
struct StateSizes: Sendable, Hashable {
    var plain: Int64 = 0
    var surviving: Int64 = 0

    var total: Int64 { plain + surviving }
    subscript(table: StateTable) -> Int64 {
        get { table == .plain ? plain : surviving }
        set { if table == .plain { plain = newValue } else { surviving = newValue } }
    }
}

/// The tables of a state's file, inside of transactions.
///
/// | table | holds |
/// |---|---|
/// | `plain`, `surviving` | entries; `id` ascends in the order of writing |
/// | `size` | bytes of each of them |
/// | `progress` | what the entries reflect, a row for each input |
/// | `claim` | who may write: the last who opened the file |
/// | `position` | how far the file follows the state's topic, see `StateHistory` |
/// | `doubt` | keys to be written to that topic again |
enum StateTables {
    static let schema = """
        CREATE TABLE IF NOT EXISTS plain
            (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, value BLOB NOT NULL, expires INTEGER);
        CREATE INDEX IF NOT EXISTS plain_expires ON plain (expires) WHERE expires IS NOT NULL;
        CREATE TABLE IF NOT EXISTS surviving
            (id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, value BLOB NOT NULL, expires INTEGER);
        CREATE INDEX IF NOT EXISTS surviving_expires ON surviving (expires) WHERE expires IS NOT NULL;
        CREATE TABLE IF NOT EXISTS size (name TEXT PRIMARY KEY, bytes INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS progress
            (topic TEXT PRIMARY KEY, offset INTEGER NOT NULL, note TEXT NOT NULL DEFAULT '') WITHOUT ROWID;
        CREATE TABLE IF NOT EXISTS claim (number INTEGER NOT NULL);
        INSERT INTO claim SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM claim);
        CREATE TABLE IF NOT EXISTS position
            (id INTEGER PRIMARY KEY CHECK (id = 1), next INTEGER NOT NULL, epoch INTEGER NOT NULL, at INTEGER NOT NULL);
        CREATE TABLE IF NOT EXISTS doubt (key TEXT PRIMARY KEY) WITHOUT ROWID;
        """

    /// Bound on expired entries removed by one transaction, and on entries evicted: a crowd of them must not stall the
    /// lane.
    static let removedAtOnce = 500

    /// A processor may have declared anew what survives, or come from a file of before: entries move to their table.
    static func adoptFormerEntries(_ survivors: StateKeys, _ db: Database) throws {
        if try db.tableExists("entry") {
            try db.execute(sql: "INSERT OR IGNORE INTO plain (key, value, expires) SELECT key, value, expires FROM entry; DROP TABLE entry")
            try measure(db)
        }
        switch survivors {
        case .all: try move("1", db)
        case .beginning(let prefixes):
            for prefix in prefixes { try move("substr(key, 1, \(prefix.count)) = \(prefix.sqlLiteral)", db) }
        }
    }

    private static func move(_ condition: String, _ db: Database) throws {
        guard try Row.fetchOne(db, sql: "SELECT 1 FROM plain WHERE \(condition) LIMIT 1") != nil else { return }
        try db.execute(
            sql: """
                INSERT OR IGNORE INTO doubt SELECT key FROM plain WHERE \(condition);
                INSERT OR IGNORE INTO surviving (key, value, expires) SELECT key, value, expires FROM plain WHERE \(condition);
                DELETE FROM plain WHERE \(condition)
                """)
        try measure(db)
    }

    private static func measure(_ db: Database) throws {
        for table in [StateTable.plain, .surviving] {
            let bytes = "SELECT ifnull(sum(length(CAST(key AS BLOB)) + length(value)), 0) FROM \(table.rawValue)"
            try db.execute(sql: "INSERT OR REPLACE INTO size VALUES ('\(table.rawValue)', (\(bytes)))")
        }
    }

    /// Who may write.
    static func claim(_ db: Database) throws -> Int64 {
        let find = try RawStatement(db, "SELECT number FROM claim")
        defer { find.reset() }
        return try find.step() ? find.integer(0) : 0
    }

    // MARK: Keys

    /// Not fewer than there are, at no cost: ids ascend.
    static func roughCount(_ db: Database) throws -> Int {
        let span = "SELECT ifnull(max(id) - min(id) + 1, 0) FROM "
        return try Int.fetchOne(db, sql: "SELECT (\(span)plain) + (\(span)surviving)") ?? 0
    }

    /// Some keys behind an id, and the last id of theirs; nil when there are no more.
    static func keys(in table: StateTable, after id: Int64, _ db: Database) throws -> (keys: [String], last: Int64?) {
        let rows = try Row.fetchCursor(
            db, sql: "SELECT id, key FROM \(table.rawValue) WHERE id > ? ORDER BY id LIMIT 10000", arguments: [id])
        var (keys, last): ([String], Int64?) = ([], nil)
        while let row = try rows.next() {
            last = row[0]
            keys.append(row[1])
        }
        return (keys, last)
    }

    // MARK: Entries

    static func put(_ writes: StateWrites, _ survivors: StateKeys, _ sizes: inout StateSizes, _ db: Database) throws {
        let insert = (plain: try insertion(into: .plain, db), surviving: try insertion(into: .surviving, db))
        for (key, entry) in writes {
            let table = StateTable(key, survivors)
            let insert = table == .plain ? insert.plain : insert.surviving
            // Most keys are new: then one statement does.
            if let value = entry.value, try put(key, value, entry.expires, insert, db) {
                sizes[table] += Int64(key.utf8.count + value.count)
                continue
            }
            // Not replaced in place: `id` says when an entry was written.
            sizes[table] -= try removed("DELETE FROM \(table.rawValue) WHERE key = ?", [key], db).bytes
            guard let value = entry.value, try put(key, value, entry.expires, insert, db) else { continue }
            sizes[table] += Int64(key.utf8.count + value.count)
        }
    }

    private static func insertion(into table: StateTable, _ db: Database) throws -> RawStatement {
        try RawStatement(db, "INSERT OR IGNORE INTO \(table.rawValue) (key, value, expires) VALUES (?, ?, ?)")
    }

    /// False when the key is there.
    private static func put(
        _ key: String, _ value: [UInt8], _ expires: Timestamp?, _ insert: RawStatement, _ db: Database
    ) throws -> Bool {
        insert.bind(1, key)
        insert.bind(3, expires?.milliseconds)
        try value.withUnsafeBytes { value in
            insert.bind(2, value)
            try insert.run()
        }
        return db.changesCount > 0
    }

    static func forgetExpired(
        _ table: StateTable, before now: Timestamp, _ sizes: inout StateSizes, _ db: Database
    ) throws {
        // Mostly none; asking is one step in an index, and removing makes a table for what it finds.
        let any = try RawStatement(db, "SELECT 1 FROM \(table.rawValue) WHERE expires <= ? LIMIT 1")
        defer { any.reset() }
        any.bind(1, now.milliseconds)
        guard try any.step() else { return }
        any.reset()
        let oldest = "SELECT id FROM \(table.rawValue) WHERE expires <= ? ORDER BY expires LIMIT ?"
        sizes[table] -= try removed(
            "DELETE FROM \(table.rawValue) WHERE id IN (\(oldest))", [now.milliseconds, removedAtOnce], db).bytes
    }

    /// Removes what does not survive, written longest ago first, while the state is too large; some of it.
    static func evict(downTo maxBytes: Int, _ sizes: inout StateSizes, _ db: Database) throws -> Int {
        guard sizes.total > maxBytes, sizes.plain > 0 else { return 0 }
        var evicted = 0
        // A tenth at a time of what one transaction may remove: not more than is needed goes.
        while sizes.total > maxBytes, evicted < removedAtOnce {
            let gone = try removed(
                "DELETE FROM plain WHERE id IN (SELECT id FROM plain ORDER BY id LIMIT ?)", [removedAtOnce / 10], db)
            if gone.count == 0 { break }
            evicted += gone.count
            sizes.plain -= gone.bytes
        }
        return evicted
    }

    private static func removed(
        _ sql: String, _ arguments: StatementArguments, _ db: Database
    ) throws -> (count: Int, bytes: Int64) {
        let statement = try db.cachedStatement(sql: sql + " RETURNING length(CAST(key AS BLOB)) + length(value)")
        var gone = (count: 0, bytes: Int64(0))
        let sizes = try Int64.fetchCursor(statement, arguments: arguments)
        while let bytes = try sizes.next() { gone = (gone.count + 1, gone.bytes + bytes) }
        return gone
    }

    static func writes(_ rows: RowCursor) throws -> StateWrites {
        var writes: StateWrites = [:]
        while let row = try rows.next() {
            let value = (row["value"] as Data?).map(Array.init)
            writes[row["key"]] = StateEntry(
                value: value, expires: (row["expires"] as Int64?).map { Timestamp(milliseconds: $0) })
        }
        return writes
    }

    static func sizes(_ db: Database) throws -> StateSizes {
        var sizes = StateSizes()
        for row in try Row.fetchAll(db, sql: "SELECT name, bytes FROM size") {
            if let table = StateTable(rawValue: row["name"]) { sizes[table] = row["bytes"] }
        }
        return sizes
    }

    static func put(_ sizes: StateSizes, insteadOf former: StateSizes? = nil, _ db: Database) throws {
        let put = try db.cachedStatement(sql: "INSERT OR REPLACE INTO size VALUES (?, ?)")
        for table in [StateTable.plain, .surviving] where former?[table] != sizes[table] {
            try put.execute(arguments: [table.rawValue, sizes[table]])
        }
    }

    // MARK: Progress

    /// Exceptions were rows of their own once: some forty for each transaction of a processor whose handlers wait.
    static func adoptFormerProgress(_ db: Database) throws {
        guard try db.tableExists("exception") else { return }
        try db.execute(sql: "ALTER TABLE progress ADD COLUMN note TEXT NOT NULL DEFAULT ''")
        var former = try progress(db)
        for row in try Row.fetchAll(db, sql: "SELECT topic, first, end FROM exception") {
            let (first, end): (Offset, Offset) = (row["first"], row["end"])
            former[Topic(row["topic"])]?.parked.insert(first..<end)
        }
        try put(former, db)
        try db.execute(sql: "DROP TABLE exception")
    }

    static func progress(_ db: Database) throws -> [Topic: Progress] {
        var progress: [Topic: Progress] = [:]
        for row in try Row.fetchAll(db, sql: "SELECT topic, offset, note FROM progress") {
            progress[Topic(row["topic"])] = Progress(Commit(offset: row["offset"], metadata: row["note"]))
        }
        return progress
    }

    /// Exceptions stand in a note as commits have it, but of any length.
    static func put(_ progress: [Topic: Progress], _ db: Database) throws {
        let put = try db.cachedStatement(sql: "INSERT OR REPLACE INTO progress (topic, offset, note) VALUES (?, ?, ?)")
        for (topic, progress) in progress {
            try put.execute(arguments: [topic.name, progress.offset, progress.note])
        }
    }

    // MARK: The topic

    /// What was written is believed again, what is doubted is not, and so far we follow.
    static func settle(
        _ transaction: SQLiteStateStore.Transaction, _ survivors: StateKeys, _ db: Database
    ) throws {
        guard let position = transaction.position else { return }
        let believe = try db.cachedStatement(sql: "DELETE FROM doubt WHERE key = ?")
        for key in transaction.writes.keys where survivors.contains(key) { try believe.execute(arguments: [key]) }
        let doubt = try db.cachedStatement(sql: "INSERT OR IGNORE INTO doubt VALUES (?)")
        for key in transaction.doubts { try doubt.execute(arguments: [key]) }
        try db.cachedStatement(sql: "INSERT OR REPLACE INTO position VALUES (1, ?, ?, ?)")
            .execute(arguments: [position.next, position.epoch, transaction.now.milliseconds])
    }
}

extension String {
    fileprivate var sqlLiteral: String { "'" + replacing("'", with: "''") + "'" }
}
