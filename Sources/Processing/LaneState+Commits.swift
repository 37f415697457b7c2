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
        for (source, partition) in partitions {
            job.sources.append(source)
            let progress = partition.groupProgress
            if progress != partition.committed || marked.contains(source) || mustRecommit { job.progress[source] = progress }
        }
        if rules.keepsState {
            job.state = StateFlush(
                writes: overlay.takeForFlush(),
                applied: Dictionary(uniqueKeysWithValues: partitions.map { ($0.key.topic, $0.value.tracker.applied) }))
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
        for source in places where partitions[source]?.isSide == false {
            partitions[source]?.tracker.passOver(finishedBehind: most)
        }
    }

    /// Far fewer than `PartitionState.markBytes` has room for.
    private static var fewMarks: Int { 100 }

    /// What comes within the gap waits for its end; not when the lane is being given up.
    private func isTooEarly(_ now: Moment<Instant>) -> Bool {
        guard case .open = phase, let commitAt else { return false }
        return now.instant < commitAt
    }

    func commitWakeAt(_ now: Moment<Instant>) -> Instant? {
        committing == nil && (isDirty || marks.isWaiting) && isTooEarly(now) ? commitAt : nil
    }

    /// Main inputs pause when as many of their records wait or run as may, or when the progress lies far behind; side inputs,
    /// which may free them, only at twice the lane's bytes.
    mutating func pausedPartitions() -> Set<TopicPartition> {
        let limits = (records: rules.configuration.maxLaneRecords, bytes: rules.configuration.maxLaneBytes)
        let finished = uncommitted.records + (committing?.records ?? 0)
        var records = (main: Array(repeating: finished, count: rules.lines), side: finished)
        for partition in partitions.values {
            let held = max(partition.tracker.unfinished, partition.tracker.span / Self.farBehind)
            if partition.isSide { records.side += held } else { records.main[partition.input] += held }
        }
        for line in isFull.indices {
            isFull[line] =
                Self.isFull(isFull[line], records.main[line], limits.records)
                || Self.isFull(isFull[line], heldBytes, limits.bytes)
        }
        isSideFull =
            Self.isFull(isSideFull, records.side, limits.records) || Self.isFull(isSideFull, heldBytes, 2 * limits.bytes)
        var paused: Set<TopicPartition> = []
        for source in Array(partitions.keys) {
            guard let partition = partitions[source] else { continue }
            let isOut = !partition.isSide && breakers.isOpen(.processor) && queues.mainCount > 0
            if isOut || (partition.isSide ? isSideFull : isFull[partition.input]) { paused.insert(source) }
        }
        return paused
    }

    /// A record that is finished counts for so little while it waits for one before it: it is an entry, not a record.
    private static var farBehind: Int { 10 }

    /// Full at the limit, and until half of it is free.
    private static func isFull(_ was: Bool, _ amount: Int, _ limit: Int) -> Bool {
        was ? amount > limit / 2 : amount >= limit
    }
}
