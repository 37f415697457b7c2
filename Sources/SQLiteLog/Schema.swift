import EventLog
import GRDB

/// GRDB has a class of this name, too.
typealias Record = EventLog.Record

/// What the file holds.
///
/// | table | one row is |
/// |---|---|
/// | `topic` | a topic; its partitions have the ids `first_partition ..< first_partition + partitions` |
/// | `partition` | the counters of a partition: they, not the records, say what the next offset is |
/// | `record` | a record; its id is `RecordID`, so that a partition is one range of the tree and appends at its end |
/// | `mark` | the newest timestamp in a block of `RecordID.block` offsets, kept under the id where the block ends |
/// | `latest` | compacted topics, up to `partition.compacted`: where the newest record of a key lies |
/// | `progress` | a group's commit |
/// | `consumer_group` | a group's version, which grows with each change of membership or ownership |
/// | `member` | a live member: its lease ends at `lease_until` on the boot-time clock of `boot_id` |
/// | `owner` | who owns a partition in a group. The epoch grows with each owner and stays when nobody is |
enum Schema {
    /// "mlrc", kept in the file's header: tells our files from any other program's.
    static let applicationID: Int32 = 0x6d6c_7263
    static let version: Int32 = 1

    /// Refuses a file of somebody else or of another version. False when it has yet to be filled.
    static func isPresent(_ db: Database) throws -> Bool {
        let application = try Int32.fetchOne(db, sql: "PRAGMA application_id") ?? 0
        let found = try Int32.fetchOne(db, sql: "PRAGMA user_version") ?? 0
        if application == 0, found == 0, try Int.fetchOne(db, sql: "SELECT count(*) FROM sqlite_master") == 0 {
            return false
        }
        guard application == applicationID else {
            throw LogError(.storage, "the file is an SQLite database of another program")
        }
        guard found == version else {
            throw LogError(.storage, "the file has schema version \(found), this program knows \(version)")
        }
        return true
    }

    static func create(_ db: Database) throws {
        try db.execute(sql: tables)
        try db.execute(sql: "PRAGMA application_id = \(applicationID); PRAGMA user_version = \(version)")
    }

    private static let tables = """
        CREATE TABLE topic (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE,
            partitions INTEGER NOT NULL, first_partition INTEGER NOT NULL,
            compacts INTEGER NOT NULL, age_ms INTEGER, partition_bytes INTEGER, tombstone_ms INTEGER NOT NULL,
            max_record_bytes INTEGER NOT NULL);
        CREATE TABLE partition (
            id INTEGER PRIMARY KEY,
            low INTEGER NOT NULL DEFAULT 0, next INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
            compacted INTEGER NOT NULL DEFAULT 0, block_newest INTEGER NOT NULL DEFAULT \(Int64.min));
        CREATE TABLE record (
            id INTEGER PRIMARY KEY, timestamp INTEGER NOT NULL, key BLOB, headers BLOB NOT NULL, value BLOB);
        CREATE TABLE mark (id INTEGER PRIMARY KEY, newest INTEGER NOT NULL);
        CREATE TABLE latest (
            partition INTEGER NOT NULL, key BLOB NOT NULL, offset INTEGER NOT NULL, tombstone_at INTEGER,
            PRIMARY KEY (partition, key)) WITHOUT ROWID;
        CREATE INDEX latest_tombstone ON latest (partition, tombstone_at) WHERE tombstone_at IS NOT NULL;
        CREATE TABLE progress (
            consumer_group TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, metadata TEXT NOT NULL,
            PRIMARY KEY (consumer_group, partition)) WITHOUT ROWID;
        CREATE TABLE consumer_group (name TEXT PRIMARY KEY, version INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE member (
            consumer_group TEXT NOT NULL, name TEXT NOT NULL, token TEXT NOT NULL, topics TEXT NOT NULL,
            boot_id TEXT NOT NULL, lease_until INTEGER NOT NULL,
            PRIMARY KEY (consumer_group, name)) WITHOUT ROWID;
        CREATE TABLE owner (
            consumer_group TEXT NOT NULL, partition INTEGER NOT NULL, member TEXT, epoch INTEGER NOT NULL,
            revoked_at INTEGER, PRIMARY KEY (consumer_group, partition)) WITHOUT ROWID;
        """
}

/// Key of a record: the partition's id in the upper bits, the offset in the lower 44 (17 trillion records).
enum RecordID {
    static let offsetBits: Int64 = 44
    /// Offsets that share a time mark.
    static let block: Offset = 1_024

    static func of(_ partition: Int64, _ offset: Offset) -> Int64 {
        assert(offset >= 0 && offset < 1 << offsetBits)
        return partition << offsetBits | offset
    }
    static func offset(_ id: Int64) -> Offset { id & (1 << offsetBits - 1) }
}
