import EventLog
import Foundation
import GRDB

/// What a log's file holds at one moment, looked at from outside: beside its owner, or when he is gone.
///
/// Needs no more than to read, as on a disk that is mounted read-only, and makes nothing.
public struct SQLiteLogView: Sendable {
    public struct Partition: Sendable {
        public var id: TopicPartition
        public var size: SQLiteLog.PartitionSize
        /// Nil when the partition is empty.
        public var oldest: StoredRecord?
    }

    /// Every partition of every topic, in order, empty ones too.
    public var partitions: [Partition]
    /// Whether somebody has the file open as its owner (`SQLiteLogConfiguration.isOwner`).
    public var isOwned: Bool

    /// `.storage` when there is no such file or it is no log.
    public static func read(path: String) async throws(LogError) -> SQLiteLogView {
        try await SQLiteLog.offPool {
            let isOwned = LockFile(existing: path + ".lock")?.isHeldElsewhere(LockFile.Role.owner.rawValue) ?? false
            let file = try Self.open(path, isOwned: isOwned)
            let held = try file.read { db in try Self.held(db) }
            try file.close()
            return SQLiteLogView(partitions: held, isOwned: isOwned)
        }
    }

    /// A log that was closed properly is its file alone, which SQLite reads as it lies there (`immutable`). Else its
    /// side files belong to it, and they are there: they are read, and written only to be read in an orderly way, where
    /// that is allowed.
    private static func open(_ path: String, isOwned: Bool) throws -> DatabaseQueue {
        var configuration = Configuration()
        configuration.readonly = true
        configuration.busyMode = .timeout(5)
        configuration.label = "millrace.sqlite.view"
        if !isOwned, !FileManager.default.fileExists(atPath: path + "-wal"),
            let name = path.addingPercentEncoding(withAllowedCharacters: .urlPathAllowed),
            let file = try? DatabaseQueue(path: "file:\(name)?immutable=1", configuration: configuration)
        {
            return file
        }
        return try DatabaseQueue(path: path, configuration: configuration)
    }

    private static func held(_ db: Database) throws -> [Partition] {
        guard try Schema.isPresent(db) else { throw LogError(.storage, "the file is no log") }
        return try SQLiteLog.sizes(Catalog(), db).sorted { $0.key < $1.key }.map { id, size in
            Partition(id: id, size: size.size, oldest: try oldest(id, size.partition, size.size.watermarks, db))
        }
    }

    private static func oldest(
        _ partition: TopicPartition, _ id: Int64, _ held: Watermarks, _ db: Database
    ) throws -> StoredRecord? {
        if held.low == held.high { return nil }
        return try RecordRows.read(partition, id: id, from: held.low, maxRecords: 1, maxBytes: 1, db).first
    }
}
