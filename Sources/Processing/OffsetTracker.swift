import EventLog

/// What became of the records of one partition, and where its group therefore stands.
///
/// A record is received once, in ascending order, and ends *done* or *parked*; a parked one becomes done some day. As many
/// are parked as a commit can list; those beyond that wait *unlisted*: they hold the position like any unfinished record
/// until there is room. Offsets may have gaps: only what was received counts.
struct OffsetTracker {
    private struct Entry {
        let offset: Offset
        let time: Timestamp
        var isFinished = false
    }

    /// Received records from the first one on that is neither done nor parked.
    private var entries = Fifo<Entry>()
    /// The offset after the last one received.
    private(set) var next: Offset
    private(set) var parked: OffsetSet
    private(set) var parkedCount: Int
    private let maxParked: Int
    /// Of `parked`, as far as they were held when this owner began.
    private var times: [Offset: Timestamp] = [:]
    /// Those among `parked` that are not, but hold up the position.
    private var passedOver = OffsetSet()
    /// To be parked when there is room.
    private var unlisted = OffsetSet()
    private var unlistedCount = 0
    /// Received records that are neither done nor parked.
    private(set) var unfinished = 0
    /// How often parked records failed.
    private var tries: [Offset: Progress.Tries]
    /// Records, not done, whose effect was begun or is about to be: wherever they lie.
    private(set) var attempted: OffsetSet
    /// Done, and begun as an effect: listed until the committed offset has passed them, because whoever takes over before
    /// that reads them again.
    private(set) var sealed = OffsetSet()
    /// The offset after the highest one that is done.
    private var doneBelow: Offset

    /// Begins at `start`; `parked` lie below it.
    init(
        start: Offset, parked: OffsetSet = OffsetSet(), attempted: OffsetSet = OffsetSet(),
        tries: [Offset: Progress.Tries] = [:], maxParked: Int = .max
    ) {
        self.maxParked = maxParked
        next = start
        doneBelow = start
        self.parked = parked
        parkedCount = parked.count
        self.attempted = attempted
        self.tries = tries
    }

    /// Everything received below is done or parked.
    var position: Offset { entries.first?.offset ?? next }
    /// Records received from `position` on, finished ones among them.
    var span: Int { entries.count }
    /// Records that wait for another try or behind one, listed or not.
    var waitingCount: Int { parkedCount - passedOver.count + unlistedCount }
    /// The first record that is neither done nor parked, were there room for all.
    var firstUnfinished: Offset { passedOver.first ?? position }
    /// Its time.
    var oldest: Timestamp? { passedOver.first.flatMap { times[$0] } ?? entries.first?.time }
    /// Time of the first record that waits for another try or behind one.
    var oldestParked: Timestamp? {
        if let listed = parked.first(where: { !passedOver.contains($0) }) { return times[listed] }
        return unlisted.first.map { entries[index(of: $0)].time }
    }

    mutating func receive(_ offset: Offset, _ time: Timestamp) {
        precondition(offset >= next, "offsets ascend")
        // What is skipped is no longer held: compaction took it.
        if offset > next, !attempted.isEmpty { attempted.remove(next..<offset) }
        entries.append(Entry(offset: offset, time: time))
        next = offset + 1
        unfinished += 1
    }

    /// A record that was parked when this owner began is held.
    mutating func restore(_ record: StoredRecord) { times[record.offset] = record.timestamp }

    /// - Parameter tries: of a record that failed.
    mutating func park(_ offset: Offset, _ tries: Progress.Tries? = nil) {
        if let tries { self.tries[offset] = tries }
        passedOver.remove(offset)
        guard !parked.contains(offset), !unlisted.contains(offset) else { return }
        if parkedCount < maxParked { return list(offset) }
        unlisted.insert(offset)
        unlistedCount += 1
    }

    private mutating func list(_ offset: Offset) {
        parked.insert(offset)
        parkedCount += 1
        times[offset] = entries[index(of: offset)].time
        finish(offset)
    }

    /// Lists the oldest unfinished records as if they were parked, whatever they wait for, so that the position gets past
    /// them: when more than `most` records behind them are finished, and as far as half of what can be listed.
    mutating func passOver(finishedBehind most: Int) {
        while span - unfinished > most, parkedCount < maxParked / 2 {
            passedOver.insert(position)
            list(position)
        }
    }

    mutating func mark(_ offset: Offset) { attempted.insert(offset) }
    mutating func unmark(_ offset: Offset) { attempted.remove(offset) }
    /// All below is committed.
    mutating func forgetSeals(below offset: Offset) {
        if let first = sealed.first, first < offset { sealed.remove(first..<offset) }
    }
    /// Marks that a commit of `offset` must list.
    func marks(committing offset: Offset) -> OffsetSet {
        if sealed.isEmpty { return attempted }
        var marks = sealed.clamped(to: offset..<max(next, offset))
        marks.formUnion(attempted)
        return marks
    }
    func isMarked(_ offset: Offset) -> Bool { !attempted.isEmpty && attempted.contains(offset) }

    mutating func done(_ offset: Offset) {
        if isMarked(offset) {
            attempted.remove(offset)
            sealed.insert(offset)
        }
        doneBelow = max(doneBelow, offset + 1)
        // What heads the entries is not listed: most are looked for nowhere else.
        if parkedCount > 0, entries.first?.offset != offset, parked.contains(offset) {
            forgetListed(offset)
        } else {
            if unlistedCount > 0, unlisted.contains(offset) { forgetUnlisted(offset) }
            finish(offset)
        }
    }

    private mutating func forgetListed(_ offset: Offset) {
        parked.remove(offset)
        parkedCount -= 1
        tries[offset] = nil
        times[offset] = nil
        passedOver.remove(offset)
        if parkedCount < maxParked, let first = unlisted.first {
            forgetUnlisted(first)
            list(first)
        }
    }

    private mutating func forgetUnlisted(_ offset: Offset) {
        unlisted.remove(offset)
        unlistedCount -= 1
    }

    private mutating func finish(_ offset: Offset) {
        unfinished -= 1
        // Most finish in their order.
        let index = index(of: offset)
        if index == 0 { _ = entries.popFirst() } else { entries[index].isFinished = true }
        while entries.first?.isFinished == true { _ = entries.popFirst() }
    }

    private func index(of offset: Offset) -> Int {
        if entries.first?.offset == offset { return 0 }
        let index = entries.partitioningIndex { $0.offset >= offset }
        precondition(index < entries.count && entries[index].offset == offset, "only what was received can finish")
        return index
    }

    /// What to commit: as far as the exceptions below can be listed, omitted ones not being worth it.
    ///
    /// The oldest exceptions are listed first; when there are more than `maxParked`, or more than the metadata holds,
    /// the offset stays before the first that is left out. All marks are listed; `reserve` bytes are kept for them,
    /// whether they are needed now or not, so that a crowd of parked records does not stop effects. Where the tries of all
    /// have no room, those of the newest are left out.
    func progress(reserve: Int = 0, omitting isOmitted: ((Offset) -> Bool)? = nil) -> Progress {
        var progress = Progress(offset: position)
        let listed = isOmitted.map { isOmitted in OffsetSet(parked.lazy.filter { !isOmitted($0) }) } ?? parked
        progress.parked = listed.clamped(to: Offset.min..<position)
        if parkedCount > maxParked, let first = progress.parked.member(at: maxParked) {
            progress.offset = first
            progress.parked.remove(first..<position)
        }
        let room = Commit.maxMetadataBytes - reserve
        progress.tries = tries.filter { progress.parked.contains($0.key) }
        var bytes = progress.noteBytes ?? .max
        while !progress.tries.isEmpty, bytes > room {
            progress.leaveOutTries()
            bytes = progress.noteBytes ?? .max
        }
        while bytes > room, let last = progress.parked.ranges.last {
            progress.offset = last.lowerBound
            progress.parked.remove(last)
            bytes = progress.noteBytes ?? .max
        }
        progress.attempted = marks(committing: progress.offset)
        return progress
    }

    /// Exactly what is done: every record below the offset but for the exceptions, in flight or parked.
    var applied: Progress {
        var applied = Progress(offset: doneBelow)
        for range in parked.ranges { applied.parked.insert(range.clamped(to: 0..<max(doneBelow, 0))) }
        for index in 0..<entries.count {
            let entry = entries[index]
            if entry.offset >= doneBelow { break }
            if !entry.isFinished { applied.parked.insert(entry.offset) }
        }
        return applied
    }
}

extension Progress {
    /// Forgets the tries of the newer half.
    fileprivate mutating func leaveOutTries() {
        triesAreComplete = false
        let kept = tries.keys.sorted().prefix(tries.count / 2).last ?? -1
        tries = tries.filter { $0.key <= kept }
    }

    /// Length of the note; nil when it does not fit.
    var noteBytes: Int? { encoded()?.metadata.utf8.count }
}
