import EventLog

/// What a consumer knows: pure bookkeeping, without waiting or reading.
struct ConsumerState {
    /// What `next` has to do.
    enum Action {
        case deliver(ConsumerEvent)
        case fetch([FetchPlan])
        case fail(LogError)
        case end
    }
    /// Where to read on.
    struct FetchPlan: Sendable {
        var partition: TopicPartition
        var id: Int64
        var serial: UInt64
        var position: Offset
    }
    /// What was read for a plan.
    struct Page: Sendable {
        var plan: FetchPlan
        var held: Watermarks
        var records: [StoredRecord]
    }

    private struct Assigned {
        var ownership: Membership.Ownership
        /// The caller has had the `.assigned` event. Until then what it says of the partition is about an earlier
        /// ownership, and must not reach this one.
        var isAnnounced = false
        /// Changes whenever what is being read for the partition must not be delivered any more.
        var serial: UInt64
        /// The next offset to deliver; nil until `start`.
        var position: Offset?
        var isPaused = false
        /// Asked back, or standing at an offset that is not there.
        var isRevoked = false
        var isOutOfRange = false
        var buffer: [StoredRecord] = []

        var isReadable: Bool { position != nil && !isPaused && !isRevoked && !isOutOfRange }
    }

    private var assigned: [TopicPartition: Assigned] = [:]
    /// The keys of `assigned` in the order of their turns.
    private var turns: [TopicPartition] = []
    private var events: [ConsumerEvent] = []
    private var lastSerial: UInt64 = 0
    /// The group's version that the last heartbeat saw.
    private(set) var version: Int64 = 0
    /// That version, when nothing was left to do.
    private(set) var settledVersion: Int64?
    private(set) var isClosed = false
    private var failure: LogError?

    /// Closed or failed: takes no part in the group any more.
    var isOver: Bool { isClosed || failure != nil }

    // MARK: Delivery

    mutating func nextAction() -> Action {
        if isClosed { return .end }
        if let failure { return .fail(failure) }
        if !events.isEmpty { return .deliver(takeEvent()) }
        if let index = turns.firstIndex(where: { assigned[$0].map { !$0.buffer.isEmpty && $0.isReadable } ?? false }) {
            return .deliver(takeBuffer(at: index))
        }
        return .fetch(
            turns.compactMap { partition in
                guard let entry = assigned[partition], entry.isReadable, let position = entry.position else {
                    return nil
                }
                return FetchPlan(
                    partition: partition, id: entry.ownership.id, serial: entry.serial, position: position)
            })
    }

    private mutating func takeEvent() -> ConsumerEvent {
        let event = events.removeFirst()
        if case .assigned(let commits) = event {
            for partition in commits.keys { assigned[partition]?.isAnnounced = true }
        }
        return event
    }

    /// The partition's records; its next turn comes after all others'.
    private mutating func takeBuffer(at index: Int) -> ConsumerEvent {
        let partition = turns.remove(at: index)
        turns.append(partition)
        guard var entry = assigned[partition], let last = entry.buffer.last else {
            preconditionFailure("only partitions with records have their turn")
        }
        let records = entry.buffer
        precondition(records[0].offset >= entry.position ?? 0, "offsets ascend")
        entry.buffer = []
        entry.position = last.offset + 1
        assigned[partition] = entry
        return .records(partition, records)
    }

    /// Keeps what was read. False when there is nothing new to deliver.
    mutating func keep(_ pages: [Page]) -> Bool {
        var isNew = !events.isEmpty
        for page in pages {
            let partition = page.plan.partition
            guard var entry = assigned[partition], entry.serial == page.plan.serial, entry.isReadable else { continue }
            if !(page.held.low...page.held.high).contains(page.plan.position) {
                entry.isOutOfRange = true
                events.append(.outOfRange(partition, requested: page.plan.position, held: page.held))
                isNew = true
            } else if page.records.isEmpty {
                // The rest was compacted away.
                entry.position = page.held.high
            } else {
                entry.buffer = page.records
                isNew = true
            }
            assigned[partition] = entry
        }
        return isNew
    }

    // MARK: The caller's wishes

    mutating func start(at positions: [TopicPartition: Offset]) {
        for (partition, offset) in positions { move(partition, to: offset) }
    }

    mutating func seek(_ partition: TopicPartition, to offset: Offset) throws(LogError) {
        guard isAnnounced(partition) else { throw .fenced(partition) }
        move(partition, to: offset)
    }

    private mutating func move(_ partition: TopicPartition, to offset: Offset) {
        dropOutOfRange(partition)
        change(partition) { entry in
            entry.position = offset
            entry.isOutOfRange = false
        }
    }

    mutating func setPaused(_ isPaused: Bool, _ partitions: [TopicPartition]) {
        for partition in partitions { change(partition) { $0.isPaused = isPaused } }
    }

    /// Forgets partitions and answers what was owned of them.
    mutating func release(_ partitions: [TopicPartition]) -> [Membership.Ownership] {
        partitions.filter(isAnnounced).compactMap { forget($0)?.ownership }
    }

    /// Our ownership of each; `.fenced` when one is not ours.
    func ownerships(of partitions: some Sequence<TopicPartition>) throws(LogError) -> [TopicPartition: Membership
        .Ownership]
    {
        var found: [TopicPartition: Membership.Ownership] = [:]
        for partition in partitions {
            guard let entry = assigned[partition], entry.isAnnounced else { throw .fenced(partition) }
            found[partition] = entry.ownership
        }
        return found
    }

    mutating func close() {
        isClosed = true
        forgetAll()
    }

    /// The member is of no more use: `next` says so, and nothing is ours.
    mutating func fail(_ error: LogError) {
        failure = error
        forgetAll()
    }

    private mutating func forgetAll() {
        assigned = [:]
        turns = []
        events = []
    }

    // MARK: The group's changes

    /// Turns a heartbeat's findings into events. False when there are none.
    mutating func apply(_ outcome: Membership.Outcome) -> Bool {
        if isOver { return false }
        version = outcome.version
        settledVersion = outcome.isSettled ? outcome.version : nil
        let gone = assigned.filter { !outcome.owned.contains($0.value.ownership) }.keys.sorted()
        // What was never announced goes without a word.
        let lost = gone.filter(isAnnounced)
        for partition in gone { _ = forget(partition) }
        if !lost.isEmpty { events.append(.lost(lost)) }

        let revoked = assigned.filter { !$0.value.isRevoked && outcome.revoked.contains($0.value.ownership.id) }
            .keys.sorted()
        for partition in revoked { change(partition) { $0.isRevoked = true } }
        if !revoked.isEmpty { events.append(.revoked(revoked)) }

        if outcome.taken.isEmpty { return !lost.isEmpty || !revoked.isEmpty }
        var commits: [TopicPartition: Commit?] = [:]
        for one in outcome.taken {
            lastSerial += 1
            assigned[one.partition] = Assigned(ownership: one.ownership, serial: lastSerial)
            commits.updateValue(one.commit, forKey: one.partition)
        }
        turns = assigned.keys.sorted()
        events.append(.assigned(commits))
        return true
    }

    private func isAnnounced(_ partition: TopicPartition) -> Bool { assigned[partition]?.isAnnounced ?? false }

    private mutating func forget(_ partition: TopicPartition) -> Assigned? {
        if !isAnnounced(partition) { dropAnnouncement(partition) }
        turns.removeAll { $0 == partition }
        dropOutOfRange(partition)
        return assigned.removeValue(forKey: partition)
    }

    private mutating func dropAnnouncement(_ partition: TopicPartition) {
        events = events.compactMap { event in
            guard case .assigned(var commits) = event else { return event }
            commits.removeValue(forKey: partition)
            return commits.isEmpty ? nil : .assigned(commits)
        }
    }

    private mutating func dropOutOfRange(_ partition: TopicPartition) {
        events.removeAll { if case .outOfRange(partition, _, _) = $0 { true } else { false } }
    }

    /// Whatever was read ahead is read again, from `position`.
    private mutating func change(_ partition: TopicPartition, _ body: (inout Assigned) -> Void) {
        guard var entry = assigned[partition] else { return }
        lastSerial += 1
        entry.serial = lastSerial
        entry.buffer = []
        body(&entry)
        assigned[partition] = entry
    }
}
