import EventLog

/// What is committed next, and which partitions must wait.
extension LaneState {
    /// One commit at a time takes everything that finished meanwhile: prompt when idle, large under load; larger with a
    /// gap between them.
    mutating func nextCommit(_ now: Moment<Instant>) -> CommitJob? {
        if case .closed = phase { return nil }
        guard committing == nil, !isTooEarly(now) else { return nil }
        admitMarks()
        // Also where nothing changed: a commit asked for after the mark proves that the partition is ours.
        let marked = Set(marks.committing.map(\.source))
        guard isDirty || !marked.isEmpty else { return nil }
        isDirty = false
        if rules.commitGap > .zero { commitAt = now.instant.advanced(by: rules.commitGap) }
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

    /// What comes within the gap waits for its end; not when the lane is being given up.
    private func isTooEarly(_ now: Moment<Instant>) -> Bool {
        guard case .open = phase, let commitAt else { return false }
        return now.instant < commitAt
    }

    func commitWakeAt(_ now: Moment<Instant>) -> Instant? {
        committing == nil && (isDirty || marks.isWaiting) && isTooEarly(now) ? commitAt : nil
    }

    /// Main inputs pause when their part of the lane is full; side inputs, which may free it, only at twice its bytes.
    mutating func pausedPartitions() -> Set<TopicPartition> {
        let limits = (records: rules.configuration.maxLaneRecords, bytes: rules.configuration.maxLaneBytes)
        let finished = uncommitted.records + (committing?.records ?? 0)
        var records = (main: Array(repeating: finished, count: rules.lines), side: finished)
        for partition in partitions.values {
            if partition.isSide {
                records.side += partition.tracker.span
            } else {
                records.main[partition.input] += partition.tracker.span
            }
        }
        for line in isFull.indices {
            isFull[line] =
                Self.isFull(isFull[line], records.main[line], max(1, limits.records / rules.lines))
                || Self.isFull(isFull[line], heldBytes, limits.bytes)
        }
        isSideFull =
            Self.isFull(isSideFull, records.side, limits.records) || Self.isFull(isSideFull, heldBytes, 2 * limits.bytes)
        var paused: Set<TopicPartition> = []
        for source in Array(partitions.keys) {
            partitions[source]?.noteParked()
            guard let partition = partitions[source] else { continue }
            let isOut = !partition.isSide && breakers.isOpen(.processor) && queues.mainCount > 0
            if isOut || partition.isFull || (partition.isSide ? isSideFull : isFull[partition.input]) { paused.insert(source) }
        }
        return paused
    }

    /// Full at the limit, and until half of it is free.
    private static func isFull(_ was: Bool, _ amount: Int, _ limit: Int) -> Bool {
        was ? amount > limit / 2 : amount >= limit
    }
}
