import EventLog

/// One input partition of a lane.
struct PartitionState: Sendable {
    var tracker: OffsetTracker
    /// What the group has committed; nil when nothing yet.
    var committed: Progress?
    var isSide = false
    /// Which main input it is, see `Work.input`.
    var input = 0
    /// See `Work.place`.
    var place = 0
    private let silent: Progress?
    /// Bytes of the note that are kept for effect marks.
    private let reserve: Int

    init(_ plan: StartPlan, _ configuration: ProcessorRuntimeConfiguration, effects: EffectMode = .none) {
        let marks = effects == .none ? OffsetSet() : plan.attempted
        tracker = OffsetTracker(
            start: plan.start, parked: plan.exceptions, attempted: marks, tries: plan.tries,
            maxParked: configuration.maxParkedRecords)
        committed = plan.committed
        silent = plan.silent
        reserve = effects == .none ? 0 : Self.markBytes
    }

    func work(_ record: StoredRecord) -> Work { Work(record, origin(isSilent: isSilent(record.offset))) }

    private func origin(isSilent: Bool) -> Work.Origin {
        .init(place: place, input: input, isSide: isSide, isSilent: isSilent)
    }

    /// What is new of these, in their order.
    mutating func receive(_ records: [StoredRecord]) -> Works {
        let known = records.partitioningIndex { $0.offset >= tracker.next }
        let new = known == 0 ? records : Array(records[known...])
        for index in new.indices { tracker.receive(new[index].offset, new[index].timestamp) }
        return silent == nil ? Works(fetched: new, origin(isSilent: false)) : Works(new.map(work))
    }

    /// What the group is to know next: never behind what it knows, so nothing while state is rebuilt below its commit.
    var groupProgress: Progress {
        let progress = tracker.progress(reserve: reserve, omitting: silent.map { $0.hasFinished })
        guard var kept = committed else { return progress }
        // Without marks it fits: the tracker has seen to that.
        if progress.offset >= kept.offset, progress.attempted.isEmpty || progress.noteBytes != nil { return progress }
        kept.attempted = tracker.marks(committing: kept.offset)
        return kept.noteBytes == nil ? committed ?? progress : kept
    }

    /// Records that are still to be handled for their state alone.
    var restoring: Int64 { silent.map { max(0, $0.offset - tracker.position) } ?? 0 }

    private func isSilent(_ offset: Offset) -> Bool { silent?.hasFinished(offset) ?? false }
}

// MARK: Effects

extension PartitionState {
    /// Share of the note for effect marks: some 300 scattered records. The rest holds 500 parked ones at 5 bytes each.
    static let markBytes = 1_536
    /// The distance of the first mark from the offset grows and shrinks with the offset, by so many digits in all.
    private static let markSlack = 48

    /// Marks records of which an effect is to begin. Answers those that the note has room for.
    mutating func mark(_ offsets: [Offset]) -> Set<Offset> {
        let fresh = offsets.filter { !tracker.isMarked($0) }
        for offset in fresh { tracker.mark(offset) }
        if marksFit { return Set(offsets) }
        for offset in fresh { tracker.unmark(offset) }
        var admitted = Set(offsets).subtracting(fresh)
        for offset in fresh {
            tracker.mark(offset)
            guard marksFit else {
                tracker.unmark(offset)
                break
            }
            admitted.insert(offset)
        }
        return admitted
    }

    /// Whether the next commit lists every mark, and goes on doing so wherever the offset moves.
    private var marksFit: Bool {
        let progress = groupProgress
        guard let bytes = Progress(offset: progress.offset, attempted: progress.attempted).noteBytes else { return false }
        let marks = tracker.marks(committing: progress.offset)
        return bytes <= Self.markBytes - Self.markSlack && progress.attempted == marks && progress.noteBytes != nil
    }
}
