import EventLog
import GRDB
import SQLiteParts

/// A member's part in its group, as acts inside a write transaction.
///
/// Nobody directs a group: each member works out the same target from the same tables and takes what is free of its
/// share. What a live member holds beyond its share it gives back itself: it learns of it by its own heartbeat, notes
/// the time, and keeps the partition until it releases it or `grace` has passed. A member whose lease has ended owns
/// nothing: whoever sees it first removes it.
struct Membership: Sendable {
    let group: String
    let member: String
    /// Tells this life of the member from an earlier one under the same name.
    let token: String
    let topics: [Topic]
    let clock: BootClock
    let lease: Duration
    let grace: Duration

    /// A partition with the epoch of our ownership.
    struct Ownership: Sendable, Hashable {
        var id: Int64
        var epoch: Int64
    }
    struct Taken: Sendable {
        var partition: TopicPartition
        var ownership: Ownership
        var commit: Commit?
    }
    /// What a heartbeat found.
    struct Outcome: Sendable {
        var taken: [Taken] = []
        /// Owned by us now, under these epochs; what the consumer has beyond them is lost.
        var owned: Set<Ownership> = []
        /// To be given back.
        var revoked: Set<Int64> = []
        var version: Int64 = 0
        /// We have our share and nothing else: until the group's version changes, nothing is to be done.
        var isSettled = false
    }

    /// Enters the group; `.invalidConfiguration` when its members subscribe to other topics.
    func join(_ transaction: WriteTransaction) throws -> Outcome {
        for topic in topics { _ = try transaction.catalog.info(topic, transaction.db) }
        let live = try GroupTables.liveMembers(of: group, transaction.db, clock)
        let subscription = GroupTables.encode(topics)
        if let other = live.first(where: { $0.name != member && GroupTables.encode($0.topics) != subscription }) {
            throw LogError(.invalidConfiguration, "\(other.name) of \(group) subscribes to \(other.topics)")
        }
        return try enter(transaction)
    }

    /// Prolongs the lease, takes what is free of our share, and says what to give back. A member that finds itself
    /// removed, or its lease ended, has lost everything and enters anew. `.fatal` when somebody else has joined under
    /// its name.
    ///
    /// Nil when nothing can have changed: the group is still at the version at which we had settled.
    func beat(settledAt settled: Int64?, _ transaction: WriteTransaction) throws -> Outcome? {
        let now = clock.milliseconds
        try transaction.execute(
            """
            UPDATE member SET lease_until = ?
            WHERE consumer_group = ? AND name = ? AND token = ? AND boot_id = ? AND lease_until > ?
            """, [now + lease.milliseconds, group, member, token, clock.id, now])
        if transaction.db.changesCount == 0 {
            let live = try GroupTables.liveMembers(of: group, transaction.db, clock)
            if live.contains(where: { $0.name == member }) {
                throw LogError(.fatal, "another member joined \(group) as \(member)")
            }
            return try enter(transaction)
        }
        try removeDead(transaction)
        if let settled, try GroupTables.version(of: group, transaction.db) == settled { return nil }
        return try settle(transaction)
    }

    /// Gives partitions up.
    func release(_ owned: [Ownership], _ transaction: WriteTransaction) throws {
        for ownership in owned {
            try transaction.execute(
                """
                UPDATE owner SET member = NULL, revoked_at = NULL
                WHERE consumer_group = ? AND partition = ? AND member = ? AND epoch = ?
                """, [group, ownership.id, member, ownership.epoch])
        }
        try change(transaction)
    }

    /// Leaves the group, unless somebody else goes by our name by now.
    func leave(_ transaction: WriteTransaction) throws {
        try transaction.execute(
            "DELETE FROM member WHERE consumer_group = ? AND name = ? AND token = ?", [group, member, token])
        if transaction.db.changesCount == 0 { return }
        try disown(transaction)
        try change(transaction)
    }

    /// Refuses with `.fenced` unless each partition is still ours under its epoch, and our lease holds.
    func check(_ owned: [TopicPartition: Ownership], _ transaction: WriteTransaction) throws {
        let isAlive = try holdsLease(transaction)
        let owner = try RawStatement(
            transaction.db,
            "SELECT 1 FROM owner WHERE consumer_group = ? AND partition = ? AND member = ? AND epoch = ?")
        defer { owner.reset() }
        owner.bind(1, group)
        owner.bind(3, member)
        for (partition, ownership) in owned {
            owner.reset()
            owner.bind(2, ownership.id)
            owner.bind(4, ownership.epoch)
            guard isAlive, try owner.step() else { throw LogError.fenced(partition) }
        }
    }

    private func holdsLease(_ transaction: WriteTransaction) throws -> Bool {
        let lease = try RawStatement(
            transaction.db,
            """
            SELECT 1 FROM member WHERE consumer_group = ? AND name = ? AND token = ? AND boot_id = ? AND lease_until > ?
            """)
        defer { lease.reset() }
        for (index, text) in [group, member, token, clock.id].enumerated() { lease.bind(Int32(index + 1), text) }
        lease.bind(5, clock.milliseconds)
        return try lease.step()
    }

    private func enter(_ transaction: WriteTransaction) throws -> Outcome {
        try transaction.execute(
            "INSERT OR REPLACE INTO member VALUES (?, ?, ?, ?, ?, ?)",
            [
                group, member, token, GroupTables.encode(topics), clock.id,
                clock.milliseconds + lease.milliseconds,
            ])
        try disown(transaction)
        try removeDead(transaction)
        try change(transaction)
        return try settle(transaction)
    }

    /// Takes our free share. Partitions of one number are taken together: whoever reads one topic's joins the others'.
    private func settle(_ transaction: WriteTransaction) throws -> Outcome {
        let members = try GroupTables.liveMembers(of: group, transaction.db, clock).map(\.name)
        var owners = try GroupTables.owners(in: group, transaction.db)
        var lanes: [Int32: [(TopicPartition, Int64)]] = [:]
        for topic in topics {
            let info = try transaction.catalog.info(topic, transaction.db)
            for number in RangeAssignment.partitions(of: member, among: members, count: info.partitions) {
                lanes[number, default: []].append((TopicPartition(topic, number), info.id(of: number)))
            }
        }
        var outcome = Outcome()
        for lane in lanes.values where lane.allSatisfy({ isAvailable(owners[$0.1]) }) {
            for (partition, id) in lane where owners[id]?.member != member {
                let epoch = (owners[id]?.epoch ?? 0) + 1
                owners[id] = GroupTables.Owner(member: member, epoch: epoch)
                try transaction.execute(
                    "INSERT OR REPLACE INTO owner VALUES (?, ?, ?, ?, NULL)", [group, id, member, epoch])
                let commit = try GroupProgress.commit(of: group, id, transaction.db)
                outcome.taken.append(
                    Taken(partition: partition, ownership: Ownership(id: id, epoch: epoch), commit: commit))
            }
        }
        if !outcome.taken.isEmpty { try change(transaction) }
        let share = Set(lanes.values.joined().map(\.1))
        for (id, owner) in owners where owner.member == member {
            outcome.owned.insert(Ownership(id: id, epoch: owner.epoch))
            if owner.revokedAt != nil { outcome.revoked.insert(id) }
            guard owner.revokedAt == nil, !share.contains(id) else { continue }
            outcome.revoked.insert(id)
            try transaction.execute(
                "UPDATE owner SET revoked_at = ? WHERE consumer_group = ? AND partition = ?",
                [clock.milliseconds, group, id])
        }
        outcome.isSettled = share == Set(outcome.owned.map(\.id)) && outcome.revoked.isEmpty
        outcome.version = try GroupTables.version(of: group, transaction.db)
        return outcome
    }

    /// Ours and not asked back, nobody's, or somebody's who has had his grace.
    private func isAvailable(_ owner: GroupTables.Owner?) -> Bool {
        guard let owner, let holder = owner.member else { return true }
        guard let revokedAt = owner.revokedAt else { return holder == member }
        return holder != member && clock.milliseconds > revokedAt + grace.milliseconds
    }

    /// Removes members whose lease has ended or was given in another life of the machine.
    private func removeDead(_ transaction: WriteTransaction) throws {
        try transaction.execute(
            "DELETE FROM member WHERE consumer_group = ? AND (boot_id <> ? OR lease_until <= ?)",
            [group, clock.id, clock.milliseconds])
        if transaction.db.changesCount == 0 { return }
        try transaction.execute(
            """
            UPDATE owner SET member = NULL, revoked_at = NULL
            WHERE consumer_group = ?1 AND member NOT IN (SELECT name FROM member WHERE consumer_group = ?1)
            """, [group])
        try change(transaction)
    }

    private func disown(_ transaction: WriteTransaction) throws {
        try transaction.execute(
            "UPDATE owner SET member = NULL, revoked_at = NULL WHERE consumer_group = ? AND member = ?",
            [group, member])
    }

    /// Tells the others to look at the group.
    private func change(_ transaction: WriteTransaction) throws {
        try transaction.execute(
            """
            INSERT INTO consumer_group VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET version = version + 1
            """, [group])
        transaction.ring()
    }
}
