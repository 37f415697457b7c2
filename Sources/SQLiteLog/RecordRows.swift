import EventLog
import GRDB
import SQLiteParts

/// Reading of records; for transactions that read.
enum RecordRows {
    /// Offsets that a partition holds.
    static func watermarks(_ partition: Int64, _ db: Database) throws -> Watermarks {
        let select = try RawStatement(db, "SELECT low, next FROM partition WHERE id = ?")
        defer { select.reset() }
        select.bind(1, partition)
        guard try select.step() else { throw missing(partition) }
        return Watermarks(low: select.integer(0), high: select.integer(1))
    }

    /// SQLite's own error, not a refusal: in the middle of a commit it must undo the whole.
    static func missing(_ partition: Int64) -> DatabaseError {
        DatabaseError(resultCode: .SQLITE_CORRUPT, message: "partition \(partition) has no counters")
    }

    /// Records from `offset` on: at most `maxRecords`, and none that would begin beyond `maxBytes`.
    static func read(
        _ source: TopicPartition, id partition: Int64, from offset: Offset, maxRecords: Int, maxBytes: Int,
        _ db: Database
    ) throws -> [StoredRecord] {
        let select = try RawStatement(
            db,
            "SELECT id, timestamp, key, headers, value FROM record WHERE id >= ? AND id < ? ORDER BY id LIMIT ?")
        defer { select.reset() }
        select.bind(1, RecordID.of(partition, offset))
        select.bind(2, RecordID.of(partition + 1, 0))
        select.bind(3, Int64(maxRecords))
        var records: [StoredRecord] = []
        var bytes = 0
        while bytes < maxBytes, try select.step() {
            let at = RecordID.offset(select.integer(0))
            guard let headers = Headers(packed: select.bytes(3) ?? []) else {
                throw LogError(.storage, "the headers of \(source) at \(at) are damaged")
            }
            let record = StoredRecord(
                source: source, offset: at, key: select.bytes(2), value: select.bytes(4), headers: headers,
                timestamp: Timestamp(milliseconds: select.integer(1)))
            bytes += record.byteCount
            records.append(record)
        }
        return records
    }

    /// First offset whose record is not older than `time`, else the high watermark. The marks say which block of
    /// offsets can hold it, so that only one block of records is looked through, or few.
    static func offset(at time: Timestamp, _ partition: Int64, _ db: Database) throws -> Offset {
        let held = try watermarks(partition, db)
        var from = held.low
        while from < held.high {
            let mark = try Int64.fetchOne(
                db.cachedStatement(
                    sql: "SELECT id FROM mark WHERE id > ? AND id <= ? AND newest >= ? ORDER BY id LIMIT 1"),
                arguments: [
                    RecordID.of(partition, from), RecordID.of(partition, held.high), time.milliseconds,
                ])
            // Without a mark only the block that is not full yet can hold it.
            let end = mark.map(RecordID.offset) ?? held.high
            let start = mark == nil ? held.high - held.high % RecordID.block : end - RecordID.block
            let hit = try Int64.fetchOne(
                db.cachedStatement(
                    sql: "SELECT id FROM record WHERE id >= ? AND id < ? AND timestamp >= ? ORDER BY id LIMIT 1"),
                arguments: [
                    RecordID.of(partition, max(from, start)), RecordID.of(partition, end), time.milliseconds,
                ])
            if let hit { return RecordID.offset(hit) }
            from = end
        }
        return held.high
    }
}
