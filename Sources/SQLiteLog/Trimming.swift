import EventLog
import Foundation
import GRDB

/// Retention by age and size: takes records from a partition's old end.
///
/// Age is the record's timestamp. Only the old end is cut, as in Kafka: a younger record keeps the older ones behind it.
enum Trimming {
    static let sizes = "ifnull(length(key), 0) + length(headers) + ifnull(length(value), 0)"

    /// Whether the oldest record has to go.
    static func isDue(_ partition: Int64, _ info: TopicInfo, _ now: Timestamp, _ db: Database) throws -> Bool {
        if info.retention.age == nil, info.retention.bytesPerPartition == nil { return false }
        let row = try Row.fetchOne(
            db.cachedStatement(sql: "SELECT bytes FROM partition WHERE id = ?"), arguments: [partition])
        let oldest = try Int64.fetchOne(
            db.cachedStatement(sql: "SELECT timestamp FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT 1"),
            arguments: [RecordID.of(partition, 0), RecordID.of(partition + 1, 0)])
        guard let oldest, let bytes = row?["bytes"] as Int64? else { return false }
        return exceeds(info.retention, timestamp: oldest, bytes: bytes, now)
    }

    /// One step; true when there may be more to do.
    static func step(_ partition: Int64, _ info: TopicInfo, _ transaction: WriteTransaction) throws -> Bool {
        let oldest = try transaction.rows(
            """
            SELECT id, timestamp, \(sizes) AS size, key FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT ?
            """, [RecordID.of(partition, 0), RecordID.of(partition + 1, 0), Sweeper.stepRecords])
        return try transaction.withCounters(of: partition) { counters in
            var removed: Int64 = 0
            for row in oldest {
                guard
                    exceeds(
                        info.retention, timestamp: row["timestamp"], bytes: counters.bytes, transaction.now)
                else { break }
                let id: Int64 = row["id"]
                try remove(id, of: partition, key: info.retention.compacts ? row["key"] : nil, transaction)
                counters.bytes -= row["size"]
                counters.low = RecordID.offset(id) + 1
                removed += 1
            }
            if removed == 0 { return false }
            counters.compacted = max(counters.compacted, counters.low)
            try transaction.execute(
                "DELETE FROM mark WHERE id > ? AND id <= ?",
                [RecordID.of(partition, 0), RecordID.of(partition, counters.low)])
            return removed == Sweeper.stepRecords
        }
    }

    private static func exceeds(_ retention: Retention, timestamp: Int64, bytes: Int64, _ now: Timestamp) -> Bool {
        if let age = retention.age, timestamp < (now - age).milliseconds { return true }
        if let bound = retention.bytesPerPartition, bytes > bound { return true }
        return false
    }

    private static func remove(_ id: Int64, of partition: Int64, key: Data?, _ transaction: WriteTransaction) throws {
        try transaction.execute("DELETE FROM record WHERE id = ?", [id])
        guard let key else { return }
        try transaction.execute(
            "DELETE FROM latest WHERE partition = ? AND key = ? AND offset = ?",
            [partition, key, RecordID.offset(id)])
    }
}
