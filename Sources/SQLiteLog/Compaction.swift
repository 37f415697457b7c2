import EventLog
import Foundation
import GRDB

/// Keeps the newest record of each key. A tombstone goes when its timestamp is older than the topic's `tombstoneAge`.
///
/// `latest` says where the newest record of each key lies among the offsets seen so far; a step goes through the next
/// few and removes those that they replace. The partition's newest record always stays, and so do records without key.
enum Compaction {
    /// Whether there are offsets not yet seen, or a tombstone has had its time.
    static func isDue(_ partition: Int64, _ info: TopicInfo, _ now: Timestamp, _ db: Database) throws -> Bool {
        guard info.retention.compacts else { return false }
        let unseen = try db.cachedStatement(sql: "SELECT 1 FROM partition WHERE id = ? AND compacted < next")
        if try Row.fetchOne(unseen, arguments: [partition]) != nil { return true }
        let next = try RecordRows.watermarks(partition, db).high
        let tombstones = try db.cachedStatement(sql: overdue)
        return try Row.fetchOne(tombstones, arguments: overdueArguments(partition, info, now, next: next)) != nil
    }

    /// Tombstones that have had their time; never the partition's newest record.
    private static let overdue = """
        SELECT key, offset FROM latest
        WHERE partition = ? AND tombstone_at IS NOT NULL AND tombstone_at <= ? AND offset < ? LIMIT ?
        """

    private static func overdueArguments(
        _ partition: Int64, _ info: TopicInfo, _ now: Timestamp, next: Offset
    ) -> StatementArguments {
        [partition, (now - info.retention.tombstoneAge).milliseconds, next - 1, Sweeper.stepRecords]
    }

    /// One step; true when there may be more to do.
    static func step(_ partition: Int64, _ info: TopicInfo, _ transaction: WriteTransaction) throws -> Bool {
        let replaced = try replaceOlder(partition, transaction)
        let cleared = try clearTombstones(partition, info, transaction)
        return replaced || cleared
    }

    private static func replaceOlder(_ partition: Int64, _ transaction: WriteTransaction) throws -> Bool {
        try transaction.withCounters(of: partition) { counters in
            if counters.compacted == counters.next { return false }
            let rows = try transaction.rows(
                "SELECT id, key, value IS NULL AS tombstone, timestamp FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT ?",
                [
                    RecordID.of(partition, counters.compacted), RecordID.of(partition, counters.next),
                    Sweeper.stepRecords,
                ])
            for row in rows {
                guard let key: Data = row["key"] else { continue }
                let offset = RecordID.offset(row["id"])
                let tombstone: Int64? = row["tombstone"] ? row["timestamp"] : nil
                let older = try transaction.rows(
                    "SELECT offset FROM latest WHERE partition = ? AND key = ?", [partition, key])
                if let older = older.first { counters.bytes -= try remove(older["offset"], of: partition, transaction) }
                try transaction.execute(
                    "INSERT OR REPLACE INTO latest VALUES (?, ?, ?, ?)", [partition, key, offset, tombstone])
            }
            let isDone = rows.count < Sweeper.stepRecords
            counters.compacted = isDone ? counters.next : RecordID.offset(rows[rows.count - 1]["id"]) + 1
            return !isDone
        }
    }

    private static func clearTombstones(
        _ partition: Int64, _ info: TopicInfo, _ transaction: WriteTransaction
    ) throws -> Bool {
        try transaction.withCounters(of: partition) { counters in
            let rows = try transaction.rows(
                overdue, overdueArguments(partition, info, transaction.now, next: counters.next))
            for row in rows {
                counters.bytes -= try remove(row["offset"], of: partition, transaction)
                try transaction.execute(
                    "DELETE FROM latest WHERE partition = ? AND key = ?", [partition, row["key"] as Data])
            }
            return rows.count == Sweeper.stepRecords
        }
    }

    /// Removes a record; its size.
    private static func remove(_ offset: Offset, of partition: Int64, _ transaction: WriteTransaction) throws -> Int64 {
        let rows = try transaction.rows(
            """
            DELETE FROM record WHERE id = ?
            RETURNING ifnull(length(key), 0) + length(headers) + ifnull(length(value), 0) AS size
            """, [RecordID.of(partition, offset)])
        return rows.first?["size"] ?? 0
    }
}
