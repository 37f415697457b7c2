import EventLog
import GRDB
import Synchronization

/// A topic with what appending to it needs.
struct TopicInfo: Sendable {
    var id: Int64
    var topic: Topic
    var partitions: Int32
    var firstPartition: Int64
    var retention: Retention
    var maxRecordBytes: Int

    func id(of partition: Int32) -> Int64 { firstPartition + Int64(partition) }

    init(_ row: Row) {
        id = row["id"]
        topic = Topic(row["name"])
        partitions = row["partitions"]
        firstPartition = row["first_partition"]
        retention = Retention(
            compacts: row["compacts"], age: (row["age_ms"] as Int64?).map { .milliseconds($0) },
            bytesPerPartition: row["partition_bytes"], tombstoneAge: .milliseconds(row["tombstone_ms"] as Int64))
        maxRecordBytes = row["max_record_bytes"]
    }
}

/// The topics, remembered: they are made once and never change.
final class Catalog: Sendable {
    private let known = Mutex<[Topic: TopicInfo]>([:])

    /// `.unknownTopic` when neither memory nor the file has it (another process may just have made it).
    func info(_ topic: Topic, _ db: Database) throws -> TopicInfo {
        if let info = known.withLock({ $0[topic] }) { return info }
        let sql = "SELECT * FROM topic WHERE name = ?"
        guard let row = try Row.fetchOne(db.cachedStatement(sql: sql), arguments: [topic.name]) else {
            throw LogError.unknown(topic)
        }
        let info = TopicInfo(row)
        known.withLock { $0[topic] = info }
        return info
    }

    func all(_ db: Database) throws -> [TopicInfo] {
        try Row.fetchAll(db, sql: "SELECT * FROM topic ORDER BY name").map(TopicInfo.init)
    }

    /// The id of a partition; `.unknownTopic` when the topic has no such partition.
    func id(of partition: TopicPartition, _ db: Database) throws -> Int64 {
        let info = try info(partition.topic, db)
        guard (0..<info.partitions).contains(partition.partition) else {
            throw LogError(.unknownTopic, "\(partition)")
        }
        return info.id(of: partition.partition)
    }

    /// After a rollback: what was seen inside the transaction may not exist.
    func forgetAll() { known.withLock { $0 = [:] } }
}
