import EventLog
import GRDB
import Logging
import Synchronization

/// A member of a consumer group.
///
/// Reading is done by `next()` itself, for all partitions at once and at most `maxBufferedBytes`: whoever does not call
/// it reads nothing. The heartbeat runs elsewhere (`Heartbeats`).
final class SQLiteConsumer: Consumer {
    private static let retryAfter: Duration = .milliseconds(500)

    let membership: Membership
    private let configuration: ConsumerConfiguration
    private let store: Store
    private let writer: Writer
    private let doorbell: Doorbell
    private let ends: LogEnds
    private let logger: Logger
    private let state = Mutex(ConsumerState())
    /// Called once, when the consumer closes.
    private let onClose: @Sendable (SQLiteConsumer) -> Void

    init(
        _ membership: Membership, _ configuration: ConsumerConfiguration, _ store: Store, _ writer: Writer,
        _ doorbell: Doorbell, _ ends: LogEnds, _ logger: Logger, onClose: @escaping @Sendable (SQLiteConsumer) -> Void
    ) {
        self.membership = membership
        self.configuration = configuration
        self.store = store
        self.writer = writer
        self.doorbell = doorbell
        self.ends = ends
        self.logger = logger
        self.onClose = onClose
    }

    // MARK: Membership

    func join() async throws(LogError) {
        _ = try await writer.perform(kind: .membership) { [membership] in
            try membership.join($0)
        } durable: {
            self.apply($0)
        }
    }

    /// Prolongs the lease and learns what has changed.
    func beat() async {
        await withCheckedContinuation { continuation in requestBeat { continuation.resume() } }
    }

    /// `beat` for callers that do not wait. Findings are applied on the writer's thread, so in the order in which they
    /// became true.
    func requestBeat(_ done: @escaping @Sendable () -> Void = {}) {
        let job = WriteJob(kind: .membership) { [self] transaction in
            // Whoever has left must not enter again.
            let (isOver, settled) = state.withLock { ($0.isOver, $0.settledVersion) }
            let outcome = isOver ? nil : try membership.beat(settledAt: settled, transaction)
            return { [self] in
                if let outcome { apply(outcome) }
                done()
            }
        } fail: { [self] error in
            logger.warning("a heartbeat failed", metadata: metadata(error))
            if error.code == .fatal {
                state.withLock { $0.fail(error) }
                doorbell.fire()
            }
            done()
        }
        writer.add(job, isBounded: false)
    }

    private var isClosed: Bool { state.withLock { $0.isClosed } }

    private func apply(_ outcome: Membership.Outcome) {
        if state.withLock({ $0.apply(outcome) }) { doorbell.fire() }
    }

    // MARK: Reading

    /// Also nil when the calling task is cancelled; the member stays in its group until `close`.
    func next() async throws(LogError) -> ConsumerEvent? {
        var hasWaited = false
        while !Task.isCancelled {
            let ticket = doorbell.ticket
            switch state.withLock({ $0.nextAction() }) {
            case .deliver(let event): return event
            case .end: return nil
            case .fail(let error): throw error
            case .fetch(let plans):
                if hasWaited, await !hasNews(for: plans, ticket) {
                    await doorbell.wait(past: ticket, until: nil)
                } else if await !fetch(plans) {
                    await doorbell.wait(past: ticket, until: nil)
                    hasWaited = true
                }
            }
        }
        return nil
    }

    /// Whether a ring was for us. Where that cannot be found out, reading will tell why.
    private func hasNews(for plans: [ConsumerState.FetchPlan], _ ticket: UInt64) async -> Bool {
        guard let ends = try? await ends.ends(after: ticket) else { return true }
        if ends.versions[membership.group, default: 0] != state.withLock(\.version) { return true }
        return plans.contains { ends.next[$0.id] != $0.position }
    }

    /// Reads what the partitions have next and whether the group has changed. False when there is nothing new.
    private func fetch(_ plans: [ConsumerState.FetchPlan]) async -> Bool {
        do throws(LogError) {
            let (pages, version) = try await store.read { [membership, configuration] db in
                (
                    try Self.read(plans, configuration, db),
                    try GroupTables.version(of: membership.group, db)
                )
            }
            let (isNew, seen) = state.withLock { ($0.keep(pages), $0.version) }
            if version != seen { await beat() }
            return isNew
        } catch {
            if error.code == .closed {
                state.withLock { $0.close() }
                return true
            }
            logger.warning("reading failed", metadata: metadata(error))
            try? await Task.sleep(for: Self.retryAfter)
            return true
        }
    }

    private static func read(
        _ plans: [ConsumerState.FetchPlan], _ configuration: ConsumerConfiguration, _ db: Database
    ) throws -> [ConsumerState.Page] {
        var pages: [ConsumerState.Page] = []
        var bytes = configuration.maxBufferedBytes
        for plan in plans where bytes > 0 {
            let held = try RecordRows.watermarks(plan.id, db)
            if plan.position == held.high { continue }
            var records: [StoredRecord] = []
            if (held.low..<held.high).contains(plan.position) {
                records = try RecordRows.read(
                    plan.partition, id: plan.id, from: plan.position, maxRecords: configuration.maxBatchRecords,
                    maxBytes: bytes, db)
            }
            bytes -= records.reduce(0) { $0 + $1.byteCount }
            pages.append(ConsumerState.Page(plan: plan, held: held, records: records))
        }
        return pages
    }

    func start(at positions: [TopicPartition: Offset]) async throws(LogError) {
        try change { $0.start(at: positions) }
    }

    func pause(_ partitions: [TopicPartition]) async throws(LogError) {
        try change { $0.setPaused(true, partitions) }
    }

    func resume(_ partitions: [TopicPartition]) async throws(LogError) {
        try change { $0.setPaused(false, partitions) }
    }

    func seek(_ partition: TopicPartition, to offset: Offset) async throws(LogError) {
        try change { state throws(LogError) in try state.seek(partition, to: offset) }
    }

    private func change(_ body: (inout ConsumerState) throws(LogError) -> Void) throws(LogError) {
        try state.withLock { state throws(LogError) in
            if state.isClosed { throw .consumerIsClosed }
            try body(&state)
        }
        doorbell.fire()
    }

    // MARK: Writing

    func commit(_ commits: [TopicPartition: Commit], outputs: [Record]) async throws(LogError) {
        try GroupProgress.check(commits)
        try await write(outputs, for: Array(commits.keys)) { [membership] owned, transaction in
            for (partition, ownership) in owned {
                guard let commit = commits[partition] else { continue }
                try GroupProgress.store(commit, of: membership.group, ownership.id, transaction)
            }
        }
    }

    @discardableResult
    func produce(_ records: [Record], for sources: [TopicPartition]) async throws(LogError) -> [RecordPosition] {
        try await write(records, for: sources) { _, _ in }
    }

    func produce(
        _ records: [Record], sealedBy seal: [Record], for sources: [TopicPartition]
    ) async throws(LogError) -> [RecordPosition] {
        try await produce(records + seal, for: sources)
    }

    /// Appends records in a transaction that first checks that the partitions are ours, then does `more`.
    @discardableResult
    private func write(
        _ records: [Record], for partitions: [TopicPartition],
        _ more: @escaping @Sendable ([TopicPartition: Membership.Ownership], WriteTransaction) throws -> Void
    ) async throws(LogError) -> [RecordPosition] {
        if isClosed { throw .consumerIsClosed }
        let owned = try state.withLock { state throws(LogError) in try state.ownerships(of: partitions) }
        let bytes = records.reduce(0) { $0 + $1.byteCount }
        do throws(LogError) {
            return try await writer.perform(records: records.count, bytes: bytes) { [membership] transaction in
                try membership.check(owned, transaction)
                let positions = records.isEmpty ? [] : try transaction.append(records)
                try more(owned, transaction)
                return positions
            }
        } catch {
            // Learn at once what was lost.
            if error.code == .fenced { await beat() }
            throw error
        }
    }

    // MARK: Leaving

    func release(_ partitions: [TopicPartition]) async throws(LogError) {
        let owned = state.withLock { $0.release(partitions) }
        if owned.isEmpty { return }
        try await writer.perform(kind: .membership) { [membership] in try membership.release(owned, $0) }
    }

    func close() async {
        let wasClosed = state.withLock { state in
            defer { state.close() }
            return state.isClosed
        }
        if wasClosed { return }
        do throws(LogError) {
            try await writer.perform(kind: .membership) { [membership] in try membership.leave($0) }
        } catch {
            // The lease ends by itself.
            logger.warning("leaving the group failed", metadata: metadata(error))
        }
        doorbell.fire()
        onClose(self)
    }

    private func metadata(_ error: LogError) -> Logger.Metadata {
        [LogKeys.group: "\(membership.group)", LogKeys.member: "\(membership.member)", LogKeys.error: "\(error)"]
    }
}
