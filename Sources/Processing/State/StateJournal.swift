import EventLog
import Logging

/// Writes the surviving state of one lane to its topic: claimed once, then flush by flush, each before the disk has it.
///
/// Where every record of ours came to lie is known, so a gap between them shows that somebody else wrote: a former owner
/// that does not know it yet, whose keys are written again, or a successor, then nothing of ours counts any more.
actor StateJournal {
    /// What a flush writes to the log, the entries before the seal.
    struct Flush: Sendable {
        var entries: [Record]
        var seal: [Record]
        /// With what expired or was doubted beside the handlers' writes.
        var writes: StateWrites
    }

    /// Bound on repairs and removals that one flush carries along.
    static let extras = 500

    /// What expired is removed a moment later at most, once something is committed.
    private static let expiryInterval = Duration.seconds(1)

    private let log: any Log
    private let disk: SQLiteStateStore
    let partition: TopicPartition
    private let epoch: Int64
    private var history: StateHistory
    private var flush: Int64 = 0
    private var mayDoubt = true
    /// When to look next for what has expired.
    private var expiryAt = Timestamp(milliseconds: .min)
    /// What was doubted before our claim has been written again, or is by the flush that is under way.
    private var hasSettled = false
    /// What was found in gaps and not told yet: a reading that failed goes on where it was.
    private var found = StateHistory.Changes()

    /// - Parameter history: right behind our claim.
    init(log: any Log, disk: SQLiteStateStore, partition: TopicPartition, history: StateHistory) {
        self.log = log
        self.disk = disk
        self.partition = partition
        self.history = history
        epoch = history.position.epoch
    }

    /// Whether the next flush may matter although no handler wrote: keys are to be written again, or some have expired.
    func mayHaveOwnWrites(_ now: Timestamp) -> Bool { mayDoubt || now >= expiryAt }

    /// Makes a flush of these writes; nil when the topic need not hear of them. The flush before it was confirmed, or this
    /// one repeats it.
    func prepare(
        _ writes: StateWrites, _ progress: [Topic: Progress], survivors: StateKeys, now: Timestamp
    ) async throws -> Flush? {
        var all = try await expired(now)
        if mayDoubt {
            let doubted = try await disk.doubted(limit: Self.extras)
            hasSettled = hasSettled || doubted.count < Self.extras
            all.merge(doubted) { _, believed in believed }
        }
        all.merge(writes) { _, new in new }
        let isNews = mayDoubt || all.keys.contains { survivors.contains($0) }
        if !isNews { return nil }
        let entries = all.filter { survivors.contains($0.key) }.map { key, entry in
            StateRecord.entry(key: key, entry, epoch: epoch, flush: flush).record(in: partition)
        }
        var seal = [StateRecord.seal(progress, epoch: epoch, flush: flush, hasSettled: hasSettled).record(in: partition)]
        if hasSettled {
            seal += history.claims.filter { $0 < epoch }.map { StateRecord.withdrawnClaim($0, in: partition) }
        }
        return Flush(entries: entries, seal: seal, writes: all)
    }

    private func expired(_ now: Timestamp) async throws -> StateWrites {
        if now < expiryAt { return [:] }
        let expired = try await disk.expired(before: now, limit: Self.extras)
        if expired.count < Self.extras { expiryAt = now + Self.expiryInterval }
        return expired
    }

    /// The flush is on the log, there. Answers what to note with its writes on the disk; throws when it does not count.
    func confirm(_ positions: [RecordPosition], _ flush: Flush) async throws -> (doubts: Set<String>, position: StateHistory.Position) {
        let offsets = positions.lazy.filter { $0.partition == self.partition }.map(\.offset)
        let (first, last) = (offsets.min() ?? history.position.next, offsets.max() ?? history.position.next - 1)
        if first == history.position.next, last - first + 1 == Offset(flush.entries.count + flush.seal.count) {
            history.skip(to: last + 1)
        } else {
            try await read(through: last)
            if history.position.epoch > epoch { throw SQLiteStateStore.Superseded() }
        }
        if flush.seal.count > 1 { history.forgetClaims(before: epoch) }
        // A page of them may be left; the disk knows.
        mayDoubt = !found.doubts.isEmpty || (mayDoubt && flush.entries.count >= Self.extras)
        self.flush += 1
        defer { found = StateHistory.Changes() }
        return (found.doubts, history.position)
    }

    private func read(through last: Offset) async throws {
        try await log.withReader { reader in
            while history.position.next <= last {
                let records = try await reader.read(
                    partition, from: history.position.next, maxRecords: Self.extras, waitingUpTo: .seconds(5))
                if records.isEmpty { throw LogError(.unavailable, "records of \(partition) cannot be read back") }
                for record in records where record.offset <= last { history.take(record, &found) }
                // Compaction may have taken ours already, where a successor wrote the same keys: what is beyond is for the
                // next reading.
                if records.last.map({ $0.offset >= last }) == true { history.skip(to: last + 1) }
            }
        }
    }
}
