import EventLog
import GRDB

/// What one needs who uses a log of his own as a queue on the disk: how full it is, and taking the front away.
extension SQLiteLog {
    /// What a partition holds.
    public struct PartitionSize: Sendable, Hashable {
        public var watermarks: Watermarks
        /// Of keys, values and headers.
        public var bytes: Int64
    }

    /// Every partition of every topic, empty ones too.
    public func sizes() async throws(LogError) -> [TopicPartition: PartitionSize] {
        try await store.read { [catalog = store.catalog] in try Self.sizes(catalog, $0).mapValues { $0.size } }
    }

    /// Each with its id in the file.
    static func sizes(
        _ catalog: Catalog, _ db: Database
    ) throws -> [TopicPartition: (partition: Int64, size: PartitionSize)] {
        var sizes: [TopicPartition: (partition: Int64, size: PartitionSize)] = [:]
        for info in try catalog.all(db) {
            for row in try Row.fetchAll(
                db, sql: "SELECT id, low, next, bytes FROM partition WHERE id >= ? AND id < ?",
                arguments: [info.firstPartition, info.id(of: info.partitions)])
            {
                let id: Int64 = row["id"]
                let size = PartitionSize(watermarks: Watermarks(low: row["low"], high: row["next"]), bytes: row["bytes"])
                sizes[TopicPartition(info.topic, Int32(id - info.firstPartition))] = (id, size)
            }
        }
        return sizes
    }

    /// Bytes of the file that hold nothing: they were records that are removed, and new ones take their place first.
    public func unusedBytes() async throws(LogError) -> Int64 {
        let pages = try await store.read { try Int64.fetchOne($0, sql: "PRAGMA freelist_count") ?? 0 }
        return pages * Int64(checkpointer.pageSize)
    }

    /// Gives back to the disk what file and write-ahead log do not need: for an owner who has emptied the log. The file
    /// itself only gets smaller when it holds little (4 MiB): that little is written anew, and commits wait for it.
    ///
    /// False when somebody was in the way, a reader in the middle of something: try again.
    public func shrink() async throws(LogError) -> Bool {
        let result: Result<Bool, LogError> = await withCheckedContinuation { continuation in
            checkpointer.shrink { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// Removes the records below the given offsets (Kafka's DeleteRecords) and answers how many bytes of keys, values
    /// and headers that were. An offset beyond a partition's end means its end.
    ///
    /// In steps, so that appends wait for none of them long: killed in the middle, a part is done.
    @discardableResult
    public func deleteRecords(below offsets: [TopicPartition: Offset]) async throws(LogError) -> Int64 {
        var rest = offsets
        var bytes: Int64 = 0
        while !rest.isEmpty {
            let step = try await deleteSomeRecords(below: rest)
            rest = step.rest
            bytes += step.bytes
        }
        return bytes
    }

    /// What one step of `deleteRecords` has done.
    public struct DeletedRecords: Sendable {
        /// Where the partitions begin now that were touched.
        public var low: [TopicPartition: Offset]
        public var bytes: Int64
        /// What is left to do.
        public var rest: [TopicPartition: Offset]
    }

    /// One step of `deleteRecords`, for who must know how far it came when a later one fails.
    public func deleteSomeRecords(below offsets: [TopicPartition: Offset]) async throws(LogError) -> DeletedRecords {
        try await writer.perform { try Trimming.step(below: offsets, $0) }
    }
}

extension Trimming {
    /// Bounds of one step of `deleteRecords`, one record at least: all who append wait for it, and on a disk that is
    /// nearly full little must be enough.
    private static let stepRecords: Int64 = 1_024
    private static let stepBytes: Int64 = 8 << 20

    fileprivate static func step(
        below offsets: [TopicPartition: Offset], _ transaction: WriteTransaction
    ) throws -> SQLiteLog.DeletedRecords {
        // All are looked up first: a job may refuse only before it has written anything.
        let places = try offsets.map { (partition, below) in
            (partition, id: try transaction.catalog.id(of: partition, transaction.db), below)
        }
        var done = SQLiteLog.DeletedRecords(low: [:], bytes: 0, rest: offsets)
        var records = stepRecords
        for (partition, id, below) in places where records > 0 && done.bytes < stepBytes {
            try transaction.withCounters(of: id) { counters in
                let target = max(min(below, counters.next), counters.low)
                let bound = min(target, counters.low + records)
                let (end, removed) = try extent(
                    from: counters.low, to: bound, of: id, maxBytes: stepBytes - done.bytes, transaction)
                try remove(from: counters.low, to: end, of: id, transaction)
                records -= end - counters.low
                done.bytes += removed
                counters.bytes -= removed
                counters.low = end
                counters.compacted = max(counters.compacted, end)
                done.low[partition] = end
                if end == target { done.rest[partition] = nil }
            }
        }
        return done
    }

    /// How far from `low` on the records have so many bytes, and how many they have: the last one may go beyond.
    private static func extent(
        from low: Offset, to bound: Offset, of partition: Int64, maxBytes: Int64, _ transaction: WriteTransaction
    ) throws -> (end: Offset, bytes: Int64) {
        var bytes: Int64 = 0
        if low == bound { return (bound, 0) }
        for row in try transaction.rows(
            "SELECT id, \(sizes) AS size FROM record WHERE id >= ? AND id < ? ORDER BY id",
            [RecordID.of(partition, low), RecordID.of(partition, bound)])
        {
            if bytes >= maxBytes { return (RecordID.offset(row["id"]), bytes) }
            bytes += row["size"] as Int64
        }
        return (bound, bytes)
    }

    private static func remove(
        from low: Offset, to end: Offset, of partition: Int64, _ transaction: WriteTransaction
    ) throws {
        if low == end { return }
        let range: StatementArguments = [RecordID.of(partition, low), RecordID.of(partition, end)]
        try transaction.execute("DELETE FROM record WHERE id >= ? AND id < ?", range)
        try transaction.execute("DELETE FROM mark WHERE id > ? AND id <= ?", range)
    }
}
