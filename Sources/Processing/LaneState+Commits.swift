import EventLog

/// What is committed next, and which partitions must wait.
extension LaneState {
    /// One commit at a time takes everything that finished meanwhile: prompt when idle, large under load.
    mutating func nextCommit() -> CommitJob? {
        if case .closed = phase { return nil }
        guard committing == nil, isDirty else { return nil }
        isDirty = false
        var job = CommitJob(outputs: outputs, bytes: uncommitted.bytes, records: uncommitted.records)
        for (source, partition) in partitions {
            job.sources.append(source)
            let progress = partition.groupProgress
            if progress != partition.committed { job.progress[source] = progress }
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

    mutating func pausedPartitions() -> Set<TopicPartition> {
        let configuration = rules.configuration
        let finished = uncommitted.records + (committing?.records ?? 0)
        let records = partitions.values.reduce(finished) { $0 + $1.tracker.span }
        isFull =
            isFull
            ? records > configuration.maxLaneRecords / 2 || heldBytes > configuration.maxLaneBytes / 2
            : records >= configuration.maxLaneRecords || heldBytes >= configuration.maxLaneBytes
        var paused: Set<TopicPartition> = []
        for source in Array(partitions.keys) {
            partitions[source]?.noteParked()
            if isFull || partitions[source]?.isFull == true { paused.insert(source) }
        }
        return paused
    }
}
