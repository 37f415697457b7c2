import EventLog
import GRDB

/// The tables of members and owners, read.
enum GroupTables {
    struct Member {
        var name: String
        var token: String
        var topics: [Topic]
    }

    /// A row of `owner`.
    struct Owner {
        var member: String?
        var epoch: Int64
        /// When its owner learned that it has to give the partition up; boot-time clock.
        var revokedAt: Int64?
    }

    static func liveMembers(of group: String, _ db: Database, _ clock: BootClock) throws -> [Member] {
        let select = try db.cachedStatement(
            sql: """
                SELECT name, token, topics FROM member
                WHERE consumer_group = ? AND boot_id = ? AND lease_until > ? ORDER BY name
                """)
        return try Row.fetchAll(select, arguments: [group, clock.id, clock.milliseconds]).map { row in
            Member(name: row["name"], token: row["token"], topics: decode(row["topics"]))
        }
    }

    static func owners(in group: String, _ db: Database) throws -> [Int64: Owner] {
        let select = try db.cachedStatement(
            sql: "SELECT partition, member, epoch, revoked_at FROM owner WHERE consumer_group = ?")
        var owners: [Int64: Owner] = [:]
        for row in try Row.fetchAll(select, arguments: [group]) {
            owners[row["partition"]] = Owner(member: row["member"], epoch: row["epoch"], revokedAt: row["revoked_at"])
        }
        return owners
    }

    static func version(of group: String, _ db: Database) throws -> Int64 {
        let select = try db.cachedStatement(sql: "SELECT version FROM consumer_group WHERE name = ?")
        return try Int64.fetchOne(select, arguments: [group]) ?? 0
    }

    /// Groups that have, or had, members or commits.
    static func describe(_ db: Database, _ catalog: Catalog, _ clock: BootClock) throws -> [GroupDescription] {
        var names: [Int64: TopicPartition] = [:]
        for info in try catalog.all(db) {
            for number in 0..<info.partitions { names[info.id(of: number)] = TopicPartition(info.topic, number) }
        }
        let groups = try String.fetchAll(
            db, sql: "SELECT name FROM consumer_group UNION SELECT consumer_group FROM progress ORDER BY 1")
        return try groups.map { group in
            var members: [String: [TopicPartition]] = [:]
            for member in try liveMembers(of: group, db, clock) { members[member.name] = [] }
            for (id, owner) in try owners(in: group, db) {
                if let member = owner.member, let name = names[id] { members[member]?.append(name) }
            }
            return GroupDescription(group: group, members: members.mapValues { $0.sorted() })
        }
    }

    static func encode(_ topics: [Topic]) -> String { Set(topics).sorted().map(\.name).joined(separator: " ") }
    static func decode(_ topics: String) -> [Topic] { topics.split(separator: " ").map { Topic(String($0)) } }
}
