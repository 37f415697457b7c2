import EventLog

/// Follows one partition of a state topic, record by record: which entries count, and which do not. Pure.
///
/// Three things must not be believed: entries of a flush whose owner died before its seal, whatever an owner writes after
/// its successor's claim, and, once that is known, the key itself: compaction may keep the bad record and drop the good
/// one before it. So such keys are *doubted* until the owner has written them again.
///
///     claim 4 · a b seal · a b │ claim 5 │ a seal │ b … c seal        a, b: entries; the second flush of 4 is doubted,
///                              doubted                  └ of 4        and so is c, which owner 4 wrote too late
struct StateHistory: Sendable {
    /// What a run of records changes.
    struct Changes: Sendable, Equatable {
        var writes: StateWrites = [:]
        var doubts: Set<String> = []
        /// The progress that the state has after them; nil: unchanged.
        var progress: [Topic: Progress]?

        mutating func write(_ writes: StateWrites) {
            self.writes.merge(writes) { _, new in new }
            if !doubts.isEmpty { doubts.subtract(writes.keys) }
        }
    }

    /// Where reading goes on, and whose entries count from there.
    struct Position: Sendable, Equatable {
        var next: Offset
        var epoch: Int64
    }

    private(set) var position: Position
    /// Entries of the newest flush, until something proves that it was sealed.
    private var pending: StateWrites = [:]
    private var pendingFlush: Int64?
    private var pendingFrom: Offset = 0
    /// Those of them that another has written over since.
    private var overwritten: Set<String> = []
    /// Claims met that are of no more use once a later owner has settled in.
    private(set) var claims: Set<Int64> = []

    init(_ position: Position) { self.position = position }

    /// Where to begin again after a crash: what is pending is read once more.
    var safePosition: Position {
        pending.isEmpty ? position : Position(next: pendingFrom, epoch: position.epoch)
    }

    mutating func take(_ record: StoredRecord, _ changes: inout Changes) {
        position.next = record.offset + 1
        switch StateRecord(record) {
        case .entry(let key, let entry, let epoch, let flush):
            guard hasClaimed(epoch) else {
                changes.doubts.insert(key)
                if pending[key] != nil { overwritten.insert(key) }
                return
            }
            // The next flush begins when this one is sealed.
            if flush != pendingFlush { settle(&changes) }
            if pending.isEmpty { (pendingFlush, pendingFrom) = (flush, record.offset) }
            pending[key] = entry
            overwritten.remove(key)
        case .seal(let progress, let epoch, _):
            guard hasClaimed(epoch) else { return }
            settle(&changes)
            changes.progress = progress
        case .claim(let epoch):
            claims.insert(epoch)
            if epoch <= position.epoch { return }
            changes.doubts.formUnion(pending.keys)
            (pending, pendingFlush, overwritten) = ([:], nil, [])
            position.epoch = epoch
        case nil: return
        }
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
        changes.write(pending)
        changes.doubts.formUnion(overwritten)
        (pending, pendingFlush, overwritten) = ([:], nil, [])
    }
}
