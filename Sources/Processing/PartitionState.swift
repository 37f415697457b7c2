import EventLog

/// One input partition of a lane.
struct PartitionState: Sendable {
    var tracker: OffsetTracker
    /// What the group has committed; nil when nothing yet.
    var committed: Progress?
    /// So many records are parked that no more are taken.
    private(set) var isFull = false
    private let silent: Progress?
    private let maxParked: Int

    init(_ plan: StartPlan, _ configuration: ProcessorRuntimeConfiguration) {
        tracker = OffsetTracker(start: plan.start, parked: plan.exceptions)
        committed = plan.committed
        silent = plan.silent
        maxParked = configuration.maxParkedRecords
    }

    func work(_ record: StoredRecord) -> Work {
        var work = Work(record)
        work.isSilent = isSilent(record.offset)
        return work
    }

    mutating func receive(_ records: [StoredRecord]) -> [Work] {
        var works: [Work] = []
        works.reserveCapacity(records.count)
        for record in records where record.offset >= tracker.next {
            tracker.receive(record)
            works.append(work(record))
        }
        return works
    }

    /// What the group is to know next: never behind what it knows, so nothing while state is rebuilt below its commit.
    var groupProgress: Progress {
        let progress = tracker.progress(maxParked: maxParked, unlisted: isSilent)
        if let committed, progress.offset < committed.offset { return committed }
        return progress
    }

    mutating func noteParked() {
        isFull = isFull ? tracker.parkedCount > maxParked / 2 : tracker.parkedCount >= maxParked
    }

    /// Records that are still to be handled for their state alone.
    var restoring: Int64 { silent.map { max(0, $0.offset - tracker.position) } ?? 0 }

    private func isSilent(_ offset: Offset) -> Bool { silent?.hasFinished(offset) ?? false }
}
