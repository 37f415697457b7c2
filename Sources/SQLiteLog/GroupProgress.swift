import EventLog
import GRDB

/// The table of commits.
enum GroupProgress {
    /// Refuses notes that no log could keep, before anything is written.
    static func check(_ commits: [TopicPartition: Commit]) throws(LogError) {
        for (partition, commit) in commits where commit.metadata.utf8.count > Commit.maxMetadataBytes {
            throw LogError(.metadataTooLarge, "\(partition): \(commit.metadata.utf8.count) bytes")
        }
    }

    static func commit(of group: String, _ partition: Int64, _ db: Database) throws -> Commit? {
        let select = try db.cachedStatement(
            sql: "SELECT offset, metadata FROM progress WHERE consumer_group = ? AND partition = ?")
        guard let row = try Row.fetchOne(select, arguments: [group, partition]) else { return nil }
        return Commit(offset: row["offset"], metadata: row["metadata"])
    }

    static func store(_ commit: Commit, of group: String, _ partition: Int64, _ transaction: WriteTransaction) throws {
        try transaction.execute(
            "INSERT OR REPLACE INTO progress (consumer_group, partition, offset, metadata) VALUES (?, ?, ?, ?)",
            [group, partition, commit.offset, commit.metadata])
    }
}
