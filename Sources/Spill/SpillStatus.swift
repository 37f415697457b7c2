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

    /// Takes nothing and excludes nobody. `.storage` when there is no spill in the directory.
    public static func read(directory: String) async throws(LogError) -> SpillStatus {
        let path = SpillStore.path(in: directory)
        guard FileManager.default.fileExists(atPath: path) else {
            throw LogError(.storage, "there is no spill in \(directory)")
        }
        let log = try await SQLiteLog.open(path: path)
        do throws(LogError) {
            let status = try await read(log)
            await log.close()
            return status
        } catch {
            await log.close()
            throw error
        }
    }

    private static func read(_ log: SQLiteLog) async throws(LogError) -> SpillStatus {
        var status = SpillStatus(lanes: [], rejected: 0, isInUse: try log.hasOwner())
        let reader = try await log.reader()
        for (partition, size) in try await log.sizes().sorted(by: { $0.key < $1.key }) {
            let records = size.watermarks.high - size.watermarks.low
            if partition.topic == SpillStore.rejectedTopic {
                status.rejected = records
            } else if records > 0 {
                // Gone meanwhile when the ingress drains.
                let oldest = try await reader.record(partition, at: size.watermarks.low)
                status.lanes.append(
                    Lane(
                        topic: partition.topic, number: partition.partition, records: records, bytes: size.bytes,
                        oldest: oldest))
            }
        }
        return status
    }
}
