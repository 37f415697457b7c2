import EventLog

/// What is committed next, and which partitions must wait.
extension LaneState {
    /// One commit at a time takes everything that finished meanwhile: prompt when idle, large under load; larger with a
    /// gap between them.
    mutating func nextCommit(_ now: Moment<Instant>) -> CommitJob? {
        if case .closed = phase { return nil }
        guard committing == nil, !isTooEarly(now) else { return nil }
        if isNoteOld, running.isEmpty { isDirty = true }
        if isDirty { passOverStuck() }
        admitMarks()
        // Also where nothing changed: a commit asked for after the mark proves that the partition is ours.
        let marked = Set(marks.committing.map(\.source))
        guard isDirty || !marked.isEmpty else { return nil }
        (isDirty, isNoteOld) = (false, false)
        if rules.commitGap > .zero { commitAt = now.instant.advanced(by: gapAfterThis) }
        var job = CommitJob(outputs: outputs, bytes: uncommitted.bytes, records: uncommitted.records)
        job.sources = partitions.sources
        for (place, source) in partitions.sources.enumerated() {
            let progress = partitions[place].groupProgress
            if mustRecommit || progress != partitions[place].committed || marked.contains(source) {
                job.progress[source] = progress
            }
        }
        if rules.keepsState {
            let applied = partitions.indices.map { (partitions.sources[$0].topic, partitions[$0].tracker.applied) }
            job.state = StateFlush(writes: overlay.takeForFlush(), applied: Dictionary(uniqueKeysWithValues: applied))
        }
        outputs = []
        uncommitted = (0, 0)
        committing = job
        return job
    }

    /// What a commit costs is nearly the same for few records as for many, so the distance grows with what comes: by itself
    /// for each `recordsPerGap` that this commit finishes or marks, up to `mostGaps` of them.
    private var gapAfterThis: Duration {
        let gaps = 1 + Double(uncommitted.records + marks.committing.count) / Double(Self.recordsPerGap)
        return rules.commitGap * min(gaps, Double(Self.mostGaps))
    }

    private static var recordsPerGap: Int { 16 }
    private static var mostGaps: Int { 4 }

    /// A record that waits long, for a limit say, must not keep the progress from those behind it: they would be handled
    /// again after a crash, and done effects need a mark each in the commit's note until the offset has passed them.
    private mutating func passOverStuck() {
        let bound = rules.configuration.maxLaneRecords
        let most = rules.effects == .marked ? min(Self.fewMarks, bound / 4) : bound / 2
        for place in partitions.indices where !partitions[place].isSide {
            partitions[place].tracker.passOver(finishedBehind: most)
        }
    }

    /// Far fewer than `PartitionState.markBytes` has room for.
    private static var fewMarks: Int { 100 }

    /// What comes within the gap waits for its end; not when the lane is being given up.
    private mutating func isTooEarly(_ now: Moment<Instant>) -> Bool {
        guard case .open = phase, let commitAt else { return false }
        return now.instant < commitAt
    }

    mutating func commitWakeAt(_ now: Moment<Instant>) -> Instant? {
        committing == nil && (isDirty || marks.isWaiting) && isTooEarly(now) ? commitAt : nil
    }

    /// Main inputs pause when as many of their records wait or run as may, or when the progress lies far behind; side inputs,
    /// which may free them, only at twice the lane's bytes.
    mutating func pausedPartitions() -> Set<TopicPartition> {
        let limits = (records: rules.configuration.maxLaneRecords, bytes: rules.configuration.maxLaneBytes)
        let finished = uncommitted.records + (committing?.records ?? 0)
        for line in isFull.indices {
            let records = finished + heldRecords(ofSide: false, line)
            isFull[line] =
                Self.isFull(isFull[line], records, limits.records) || Self.isFull(isFull[line], heldBytes, limits.bytes)
        }
        let records = finished + heldRecords(ofSide: true)
        isSideFull =
            Self.isFull(isSideFull, records, limits.records) || Self.isFull(isSideFull, heldBytes, 2 * limits.bytes)
        var paused: Set<TopicPartition> = []
        let isOut = breakers.isOpen(.processor) && queues.mainCount > 0
        for place in partitions.indices {
            let isPaused = partitions[place].isSide ? isSideFull : isOut || isFull[partitions[place].input]
            if isPaused { paused.insert(partitions.sources[place]) }
        }
        return paused
    }

    /// - Parameter line: of main inputs.
    private mutating func heldRecords(ofSide isSide: Bool, _ line: Int = 0) -> Int {
        var held = 0
        for place in partitions.indices where partitions[place].isSide == isSide && (isSide || partitions[place].input == line) {
            held += max(partitions[place].tracker.unfinished, partitions[place].tracker.span / Self.farBehind)
        }
        return held
    }

    /// A record that is finished counts for so little while it waits for one before it: it is an entry, not a record.
    private static var farBehind: Int { 10 }

    /// Full at the limit, and until half of it is free.
    private static func isFull(_ was: Bool, _ amount: Int, _ limit: Int) -> Bool {
        was ? amount > limit / 2 : amount >= limit
    }
}
