import EventLog
import GRDB
import SQLiteParts

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
        let store = try RawStatement(
            transaction.db,
            "INSERT OR REPLACE INTO progress (consumer_group, partition, offset, metadata) VALUES (?, ?, ?, ?)")
        defer { store.reset() }
        store.bind(1, group)
        store.bind(2, partition)
        store.bind(3, commit.offset)
        store.bind(4, commit.metadata)
        _ = try store.step()
    }
}
