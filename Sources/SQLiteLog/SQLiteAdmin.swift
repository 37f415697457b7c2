import EventLog
import GRDB

/// Creating and looking.
struct SQLiteAdmin: Admin {
    let store: Store
    let writer: Writer
    let clock: BootClock

    /// A record is one row; SQLite takes rows up to 1 GB, and copies stay affordable well below.
    static let maxRecordBytes = 256 << 20

    func createTopics(_ specs: [TopicSpec]) async throws(LogError) {
        for spec in specs {
            guard spec.topic.isValid else { throw LogError(.invalidTopic, spec.topic.name) }
            guard spec.partitions > 0, (1...Self.maxRecordBytes).contains(spec.maxRecordBytes) else {
                throw LogError(.invalidConfiguration, "\(spec.topic): partitions or size of records out of range")
            }
        }
        try await writer.perform { try Self.create(specs, $0) }
    }

    private static func create(_ specs: [TopicSpec], _ transaction: WriteTransaction) throws {
        var missing: [TopicSpec] = []
        for spec in specs {
            do {
                let found = try transaction.catalog.info(spec.topic, transaction.db)
                guard found.partitions == spec.partitions else {
                    throw LogError(
                        .topicMismatch, "\(spec.topic) has \(found.partitions) partitions, not \(spec.partitions)")
                }
            } catch let error as LogError where error.code == .unknownTopic {
                if !missing.contains(where: { $0.topic == spec.topic }) { missing.append(spec) }
            }
        }
        for spec in missing { try insert(spec, transaction) }
        if !missing.isEmpty { transaction.ring() }
    }

    private static func insert(_ spec: TopicSpec, _ transaction: WriteTransaction) throws {
        let last = try Int64.fetchOne(transaction.db, sql: "SELECT max(id) FROM partition") ?? 0
        let retention = spec.retention
        try transaction.execute(
            """
            INSERT INTO topic (name, partitions, first_partition, compacts, age_ms, partition_bytes, tombstone_ms,
                max_record_bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
            """,
            [
                spec.topic.name, spec.partitions, last + 1, retention.compacts, retention.age?.milliseconds,
                retention.bytesPerPartition, retention.tombstoneAge.milliseconds, spec.maxRecordBytes,
            ])
        for partition in 1...Int64(spec.partitions) {
            try transaction.execute("INSERT INTO partition (id) VALUES (?)", [last + partition])
        }
    }

    func topics() async throws(LogError) -> [TopicDescription] {
        try await store.read { [catalog = store.catalog] db in
            try catalog.all(db).map { TopicDescription(topic: $0.topic, partitions: $0.partitions) }
        }
    }

    func watermarks(of partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Watermarks] {
        try await each(partitions) { try RecordRows.watermarks($0, $1) }
    }

    func offsets(at time: Timestamp, of partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Offset]
    {
        try await each(partitions) { try RecordRows.offset(at: time, $0, $1) }
    }

    func commits(of group: String, in partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Commit] {
        try await each(partitions) { try GroupProgress.commit(of: group, $0, $1) }
    }

    func groups() async throws(LogError) -> [GroupDescription] {
        try await store.read { [catalog = store.catalog, clock] db in
            try GroupTables.describe(db, catalog, clock)
        }
    }

    func setCommits(_ commits: [TopicPartition: Commit], of group: String) async throws(LogError) {
        try GroupProgress.check(commits)
        try await writer.perform { [clock] transaction in
            let topics = Set(commits.keys.map(\.topic))
            let members = try GroupTables.liveMembers(of: group, transaction.db, clock)
            if let active = members.first(where: { !topics.isDisjoint(with: $0.topics) }) {
                throw LogError(.groupActive, "\(group) has the live member \(active.name)")
            }
            let ids = try commits.map { (try transaction.catalog.id(of: $0.key, transaction.db), $0.value) }
            for (id, commit) in ids { try GroupProgress.store(commit, of: group, id, transaction) }
        }
    }

    /// The same question for several partitions, within one transaction; no answer leaves the partition out.
    private func each<T: Sendable>(
        _ partitions: [TopicPartition], _ ask: @escaping @Sendable (Int64, Database) throws -> T?
    ) async throws(LogError) -> [TopicPartition: T] {
        try await store.read { [catalog = store.catalog] db in
            var answers: [TopicPartition: T] = [:]
            for partition in partitions { answers[partition] = try ask(catalog.id(of: partition, db), db) }
            return answers
        }
    }
}
