import EventLog
import GRDB
import SQLiteParts

/// The transaction of one group commit. It belongs to the writer's thread and ends with it.
///
/// Counters are read when a partition is first touched and written once, by `finish`: what is known of them is only
/// true while the transaction holds SQLite's write lock.
final class WriteTransaction {
    /// A row of `partition`.
    struct Counters {
        var low: Offset
        var next: Offset
        var bytes: Int64
        /// Compaction has seen everything below.
        var compacted: Offset
        /// Newest timestamp of the block that `next` lies in.
        var blockNewest: Int64
    }

    let db: Database
    let catalog: Catalog
    let now: Timestamp
    /// Whether somebody may be waiting for what happened here.
    private(set) var isWorthRinging = false
    private var counters: [Int64: Counters] = [:]
    /// Looked up among the connection's statements once a transaction, not once a call.
    private var insert: RawStatement?

    init(_ db: Database, _ catalog: Catalog, now: Timestamp) {
        self.db = db
        self.catalog = catalog
        self.now = now
    }

    func ring() { isWorthRinging = true }

    /// Appends all records or, refusing one of them with a `LogError`, none.
    func append(_ records: [Record]) throws -> [RecordPosition] {
        let places = try place(records)
        let insert = try insertStatement()
        var positions: [RecordPosition] = []
        positions.reserveCapacity(records.count)
        for (record, place) in zip(records, places) {
            let offset = try take(place.id, for: record)
            insert.bind(1, RecordID.of(place.id, offset))
            insert.bind(2, (record.timestamp ?? now).milliseconds)
            try withBytes(record.key) { key in
                try record.headers.packed.withUnsafeBytes { headers in
                    try withBytes(record.value) { value in
                        insert.bind(3, key)
                        insert.bind(4, headers)
                        insert.bind(5, value)
                        try insert.run()
                    }
                }
            }
            positions.append(RecordPosition(place.partition, offset))
        }
        ring()
        return positions
    }

    private func insertStatement() throws -> RawStatement {
        if let insert { return insert }
        let made = try RawStatement(
            db, "INSERT INTO record (id, timestamp, key, headers, value) VALUES (?, ?, ?, ?, ?)")
        insert = made
        return made
    }

    /// Where each record goes; refuses before anything is written.
    private func place(_ records: [Record]) throws -> [(partition: TopicPartition, id: Int64)] {
        // Kafka's default for records without key is to stay with one partition for a batch: so does a call here.
        let sticky = Int32.random(in: 0...Int32.max)
        var places: [(TopicPartition, Int64)] = []
        places.reserveCapacity(records.count)
        var info: TopicInfo?
        for record in records {
            let topic = try info.flatMap { $0.topic == record.topic ? $0 : nil } ?? catalog.info(record.topic, db)
            info = topic
            guard record.byteCount <= topic.maxRecordBytes else {
                throw LogError(
                    .recordTooLarge, "\(record.byteCount) bytes, \(topic.topic) takes \(topic.maxRecordBytes)")
            }
            let partition =
                record.partition
                ?? record.key.map { Murmur2.partition(of: $0, partitions: topic.partitions) }
                ?? sticky % topic.partitions
            guard (0..<topic.partitions).contains(partition) else {
                throw LogError(.unknownTopic, "\(TopicPartition(topic.topic, partition))")
            }
            places.append((TopicPartition(topic.topic, partition), topic.id(of: partition)))
        }
        return places
    }

    /// The next offset of a partition, counted as taken by this record.
    private func take(_ partition: Int64, for record: Record) throws -> Offset {
        var row = try counters[partition] ?? loadCounters(of: partition)
        let offset = row.next
        row.next += 1
        row.bytes += Int64(record.byteCount)
        row.blockNewest = max(row.blockNewest, (record.timestamp ?? now).milliseconds)
        if row.next % RecordID.block == 0 {
            try execute(
                "INSERT INTO mark (id, newest) VALUES (?, ?)", [RecordID.of(partition, row.next), row.blockNewest])
            row.blockNewest = .min
        }
        counters[partition] = row
        return offset
    }

    /// Reads and changes the counters of a partition.
    func withCounters<T>(of partition: Int64, _ body: (inout Counters) throws -> T) throws -> T {
        var row = try counters[partition] ?? loadCounters(of: partition)
        let result = try body(&row)
        counters[partition] = row
        return result
    }

    private func loadCounters(of partition: Int64) throws -> Counters {
        let select = try RawStatement(
            db, "SELECT low, next, bytes, compacted, block_newest FROM partition WHERE id = ?")
        defer { select.reset() }
        select.bind(1, partition)
        guard try select.step() else { throw RecordRows.missing(partition) }
        return Counters(
            low: select.integer(0), next: select.integer(1), bytes: select.integer(2), compacted: select.integer(3),
            blockNewest: select.integer(4))
    }

    /// Writes the counters back. The last act before the commit.
    func finish() throws {
        let update = try RawStatement(
            db, "UPDATE partition SET low = ?, next = ?, bytes = ?, compacted = ?, block_newest = ? WHERE id = ?")
        for (partition, row) in counters {
            update.bind(1, row.low)
            update.bind(2, row.next)
            update.bind(3, row.bytes)
            update.bind(4, row.compacted)
            update.bind(5, row.blockNewest)
            update.bind(6, partition)
            try update.run()
        }
    }

    func execute(_ sql: String, _ arguments: StatementArguments = StatementArguments()) throws {
        try db.cachedStatement(sql: sql).execute(arguments: arguments)
    }

    func rows(_ sql: String, _ arguments: StatementArguments) throws -> [Row] {
        try Row.fetchAll(db.cachedStatement(sql: sql), arguments: arguments)
    }
}
