import EventLog
import Foundation
import SQLiteLog

/// What a spill directory holds, looked at from outside, while its ingress runs or when it is gone.
public struct SpillStatus: Sendable {
    /// One lane that is not empty: a topic's records whose keys fall together.
    public struct Lane: Sendable {
        public var topic: Topic
        public var number: Int32
        public var records: Int64
        public var bytes: Int64
        /// Its oldest record, e.g. to tell how old it is.
        public var oldest: StoredRecord?
    }

    /// In order of topic and number.
    public var lanes: [Lane]
    public var rejected: Int64
    /// Whether a process has the spill open to use it.
    public var isInUse: Bool

    public var records: Int64 { lanes.reduce(0) { $0 + $1.records } }
    public var bytes: Int64 { lanes.reduce(0) { $0 + $1.bytes } }

    /// Takes nothing, writes nothing (the disk may be mounted read-only) and excludes nobody. `.storage` when there is no spill in the directory.
    public static func read(directory: String) async throws(LogError) -> SpillStatus {
        let path = SpillStore.path(in: directory)
        guard FileManager.default.fileExists(atPath: path) else {
            throw LogError(.storage, "there is no spill in \(directory)")
        }
        let view = try await SQLiteLogView.read(path: path)
        let rejected = view.partitions.first { $0.id == SpillStore.rejected }
        return SpillStatus(
            lanes: view.partitions.filter { $0.id.topic != SpillStore.rejectedTopic && $0.records > 0 }.map {
                Lane(topic: $0.id.topic, number: $0.id.partition, records: $0.records, bytes: $0.size.bytes, oldest: $0.oldest)
            },
            rejected: rejected?.records ?? 0, isInUse: view.isOwned)
    }
}

extension SQLiteLogView.Partition {
    fileprivate var records: Int64 { size.watermarks.high - size.watermarks.low }
}
