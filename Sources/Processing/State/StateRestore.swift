import EventLog
import Logging

/// Brings the disk of a new owner up to the end of the state's topic, and claims the topic for it.
///
/// 1. Read from where the disk stands to the end. What was read is on the disk page by page, so a restore that is
///    stopped goes on from there.
/// 2. Commit: only an owner can, so a former one gets no further.
/// 3. Append a claim, and read up to it: what others write behind it does not count.
/// 4. Write again what is doubted.
struct StateRestore<C: Clock>: Sendable where C.Duration == Duration {
    static var pageRecords: Int { 500 }
    /// How often it says how far it is.
    static var tellInterval: Duration { .seconds(5) }

    let context: RuntimeContext<C>
    let log: any Log
    let consumer: any Consumer
    let disk: SQLiteStateStore
    let partition: TopicPartition
    /// What the group has committed for the lane's inputs.
    let commits: [TopicPartition: Commit]
    let tell: @Sendable (RestoreProgress) -> Void

    func run() async throws -> StateJournal {
        try await context.persist(at: "restore state") { try await log.withReader { try await restore($0) } }
    }

    private func restore(_ reader: any Reader) async throws -> StateJournal {
        var history = try await begin()
        while true {
            try await read(upTo: try await end(), &history, reader)
            try await context.persist(at: "prove ownership") { try await consumer.commit(commits) }
            let epoch = history.position.epoch + 1
            let claim = StateRecord.claim(epoch: epoch).record(in: partition)
            let positions = try await context.persist(at: "claim state") {
                try await consumer.produce([claim], for: Array(commits.keys))
            }
            guard let claimed = positions.first?.offset else { throw LogError(.fatal, "a claim without position") }
            // Up to the claim itself: another's may be before it. Then it is ours no longer, unless the commit succeeds.
            try await read(upTo: claimed, &history, reader)
            let before = history.position.epoch
            try await read(upTo: claimed + 1, &history, reader)
            if before < epoch, history.position.epoch == epoch { break }
        }
        var changes = StateHistory.Changes()
        history.conclude(&changes)
        try await note(changes, history)
        let journal = StateJournal(log: log, disk: disk, partition: partition, history: history)
        try await settle(journal)
        return journal
    }

    /// Where to read from: where the disk stands, unless that cannot be trusted.
    private func begin() async throws -> StateHistory {
        let held = try await watermarks()
        if let (position, at) = try await disk.position() {
            // Behind us tombstones may have gone before we saw them.
            let isFresh = context.wallTime() - at < StateRestore.trust || position.next == held.high
            if isFresh, (held.low...held.high).contains(position.next) { return StateHistory(position) }
            if position.next > held.high { return try await beginAnew(held) }
            context.logger.info("state on this disk is too old, all of it is restored", metadata: LogKey.of(partition))
        } else if held.high == held.low {
            return try await beginAnew(held)
        }
        try await disk.clearSurvivors()
        return StateHistory(.init(next: held.low, epoch: 0))
    }

    /// The topic is new, or it is not the one that we knew: what this disk has may be all there is.
    private func beginAnew(_ held: Watermarks) async throws -> StateHistory {
        try await disk.doubtAll()
        return StateHistory(.init(next: held.low, epoch: 0))
    }

    /// Half of the time that a compacted topic keeps tombstones (`Retention.tombstoneAge`).
    private static var trust: Duration { .seconds(43_200) }

    private func watermarks() async throws -> Watermarks {
        try await context.persist(at: "restore state") {
            guard let held = try await log.admin.watermarks(of: [partition])[partition] else {
                throw LogError(.unknownTopic, partition.topic.name)
            }
            return held
        }
    }

    private func end() async throws -> Offset { try await watermarks().high }

    /// Takes over what lies before `end`.
    private func read(upTo end: Offset, _ history: inout StateHistory, _ reader: any Reader) async throws {
        var progress = RestoreProgress(restored: 0, total: max(0, end - history.position.next))
        var toldAt = context.clock.now
        tell(progress)
        while history.position.next < end {
            try Task.checkCancellation()
            let from = history.position.next
            let found = try await context.persist(at: "restore state") {
                try await reader.read(partition, from: from, maxRecords: Self.pageRecords, waitingUpTo: .seconds(1))
            }
            var changes = StateHistory.Changes()
            for record in found where record.offset < end { history.take(record, &changes) }
            // Nothing up to the end, or beyond it: what is missing was compacted away.
            if found.last.map({ $0.offset >= end }) ?? true { history.skip(to: end) }
            try await note(changes, history)
            context.observer.restored(found.count)
            progress.restored += history.position.next - from
            tell(progress)
            if toldAt.duration(to: context.clock.now) >= Self.tellInterval {
                toldAt = context.clock.now
                log(progress, "state is being restored")
            }
        }
        if progress.total > 0 { log(progress, "state restored") }
    }

    private func log(_ progress: RestoreProgress, _ message: Logger.Message) {
        var metadata = LogKey.of(partition)
        metadata[LogKey.count] = "\(progress.restored)"
        metadata[LogKey.total] = "\(progress.total)"
        context.logger.info(message, metadata: metadata)
    }

    private func note(_ changes: StateHistory.Changes, _ history: StateHistory) async throws {
        let now = context.wallTime()
        _ = try await context.persist(at: "restore state", if: CommitCycle<C>.isPassingStateError) {
            try await disk.write(
                .init(
                    writes: changes.writes, progress: changes.progress ?? [:], doubts: changes.doubts,
                    position: history.safePosition, now: now))
        }
    }

    /// Writes what is doubted again, so that whoever comes next need not know.
    private func settle(_ journal: StateJournal) async throws {
        let cycle = CommitCycle(context: context, consumer: consumer, disk: disk, journal: journal)
        repeat {
            try Task.checkCancellation()
            let progress = try await disk.progress()
            var job = CommitJob(outputs: [], bytes: 0, records: 0)
            job.sources = Array(commits.keys)
            try await cycle.flush(StateFlush(writes: [:], applied: progress), job)
        } while try await !disk.doubted(limit: 1).isEmpty
    }
}

/// How far the restore of one partition's state is.
public struct RestoreProgress: Sendable, Hashable {
    /// Offsets taken over, of so many.
    public var restored: Int64
    public var total: Int64

    public init(restored: Int64, total: Int64) {
        self.restored = restored
        self.total = total
    }
}
