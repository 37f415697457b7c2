import EventLog

/// Follows one partition of a state topic, record by record: which entries count, and which do not. Pure.
///
/// Three things must not be believed: entries of a flush whose owner died before its seal, whatever an owner writes after
/// its successor's claim, and, once that is known, the key itself: compaction may keep the bad record and drop the good
/// one before it. So such keys are *doubted* until an owner has written them again; its seals say when it has settled in
/// so.
///
///     claim 4 · a b seal · a b │ claim 5 │ a b seal(settled) · b │ …      a, b: entries; the second flush of 4 is not
///                              in limbo    └ as they were      └ of 4, too late: doubted                  believed
///
/// Seals share a key, so compaction leaves only the newest. Entries before a claim without a seal between are therefore
/// in limbo: believed when a settled seal follows, because then they were not written again, and doubted otherwise.
struct StateHistory: Sendable {
    /// What a run of records changes.
    struct Changes: Sendable, Equatable {
        var writes: StateWrites = [:]
        var doubts: Set<String> = []
        /// The progress that the state has after them; nil: unchanged.
        var progress: [Topic: Progress]?
    }

    /// Where reading goes on, and whose entries count from there.
    struct Position: Sendable, Equatable {
        var next: Offset
        var epoch: Int64
    }

    /// Entries of which it is not known yet whether they count.
    private struct Open: Sendable {
        var writes: StateWrites = [:]
        /// Those of them that another has written over since.
        var overwritten: Set<String> = []
        var since = Position(next: 0, epoch: 0)

        mutating func noteWriteOver(_ key: String) { if writes[key] != nil { overwritten.insert(key) } }

        mutating func believe(_ changes: inout Changes) {
            changes.writes.merge(writes) { _, new in new }
            if !changes.doubts.isEmpty { changes.doubts.subtract(writes.keys) }
            changes.doubts.formUnion(overwritten)
            self = Open()
        }

        /// They were written again.
        mutating func forget(_ keys: some Sequence<String>) {
            if writes.isEmpty { return }
            for key in keys { writes[key] = nil }
            overwritten.subtract(keys)
        }
    }

    private(set) var position: Position
    /// The newest flush, until something proves that it was sealed.
    private var pending = Open()
    private var pendingFlush: Int64?
    /// The same of owners before the last claim.
    private var limbo = Open()
    /// Claims met that are of no more use once a later owner has settled in.
    private(set) var claims: Set<Int64> = []

    init(_ position: Position) { self.position = position }

    /// Where to begin again after a crash: what is open is read once more.
    var safePosition: Position {
        if !limbo.writes.isEmpty { return limbo.since }
        return pending.writes.isEmpty ? position : pending.since
    }

    mutating func take(_ record: StoredRecord, _ changes: inout Changes) {
        defer { position.next = record.offset + 1 }
        switch StateRecord(record) {
        case .entry(let key, let entry, let epoch, let flush):
            guard hasClaimed(epoch) else {
                changes.doubts.insert(key)
                pending.noteWriteOver(key)
                limbo.noteWriteOver(key)
                return
            }
            // The next flush begins when this one is sealed.
            if flush != pendingFlush { settle(&changes) }
            if pending.writes.isEmpty { pending.since = Position(next: record.offset, epoch: epoch) }
            pendingFlush = flush
            pending.writes[key] = entry
            pending.overwritten.remove(key)
        case .seal(let progress, let epoch, _, let hasSettled):
            guard hasClaimed(epoch) else { return }
            settle(&changes)
            if hasSettled { limbo.believe(&changes) }
            changes.progress = progress
        case .claim(let epoch):
            claims.insert(epoch)
            if epoch <= position.epoch { return }
            if limbo.writes.isEmpty { limbo.since = pending.since }
            limbo.writes.merge(pending.writes) { _, new in new }
            limbo.overwritten.formUnion(pending.overwritten)
            (pending, pendingFlush) = (Open(), nil)
            position.epoch = epoch
        case nil: return
        }
    }

    /// The last claim is ours: nobody will tell us any more what was in limbo.
    mutating func conclude(_ changes: inout Changes) {
        changes.doubts.formUnion(limbo.writes.keys)
        limbo = Open()
    }

    /// Records that we wrote ourselves, and nobody else in between.
    mutating func skip(to next: Offset) { position.next = next }
    mutating func forgetClaims(before epoch: Int64) { claims = claims.filter { $0 >= epoch } }

    /// An epoch beyond the last claim met is that of a claim taken back since.
    private mutating func hasClaimed(_ epoch: Int64) -> Bool {
        position.epoch = max(position.epoch, epoch)
        return epoch == position.epoch
    }

    private mutating func settle(_ changes: inout Changes) {
        limbo.forget(pending.writes.keys)
        pending.believe(&changes)
        pendingFlush = nil
    }
}
