import EventLog

/// Where a partition goes on, from what its group and its state know.
///
/// The group knows which records are finished, the state which ones it contains; a crash between the state's
/// transaction and the group's commit leaves them apart.
///
/// | mode | handled | without outputs |
/// |---|---|---|
/// | none | what the group has not finished | – |
/// | rebuilt | what the state does not contain (no state: all that is held) | what the group has finished |
/// | local, surviving | what neither has | – |
struct StartPlan: Sendable, Equatable {
    /// The first record to read live.
    let start: Offset
    /// Records below it that are to be handled first, read by offset.
    let exceptions: OffsetSet
    /// Records, unfinished, of which an effect was begun by somebody: its outcome is unknown.
    let attempted: OffsetSet
    /// How often they failed before, as far as it is known.
    let tries: [Offset: Progress.Tries]
    /// Those without tries did not fail.
    let triesAreComplete: Bool
    /// The group's commit, when records it covers are handled again for their state alone.
    let silent: Progress?
    /// What the group has committed; nil for a group without commit.
    let committed: Progress?
    /// Records that were to be handled and are no longer held.
    let missed: Int64

    /// - Parameters:
    ///   - birth: where a group begins that has no commit.
    ///   - low: the oldest offset held.
    init(mode: StateMode, commit: Progress?, birth: Offset, state: Progress?, low: Offset) {
        let group = commit ?? Progress(offset: birth)
        let wanted: Offset
        var exceptions: OffsetSet
        switch mode {
        case .none:
            (wanted, exceptions, silent) = (group.offset, group.exceptions, nil)
        case .rebuiltFromInputs:
            (wanted, exceptions) = state.map { ($0.offset, $0.parked) } ?? (low, OffsetSet())
            silent = group
        case .local, .surviving:
            let state = state ?? Progress(offset: 0)
            wanted = max(group.offset, state.offset)
            // Above an offset nothing is finished, so an exception of one side counts unless the other has finished it.
            exceptions = OffsetSet()
            for offset in state.parked where !group.hasFinished(offset) { exceptions.insert(offset) }
            for offset in group.exceptions where !state.hasFinished(offset) { exceptions.insert(offset) }
            silent = nil
        }
        let gone = exceptions.prefix { $0 < low }
        for offset in gone { exceptions.remove(offset) }
        self.exceptions = exceptions
        let start = max(wanted, low)
        self.start = start
        tries = group.tries.filter { known in exceptions.contains(known.key) }
        triesAreComplete = group.triesAreComplete
        attempted = OffsetSet(group.attempted.filter { $0 >= start || exceptions.contains($0) })
        committed = commit
        missed = Int64(gone.count) + start - wanted
    }
}

extension Progress {
    /// Below the offset and no exception.
    package func hasFinished(_ offset: Offset) -> Bool {
        offset < self.offset && !parked.contains(offset) && !attempted.contains(offset)
    }

    /// Records below the offset that are not finished.
    var exceptions: OffsetSet {
        var exceptions = parked
        exceptions.formUnion(attempted.clamped(to: 0..<max(offset, 0)))
        return exceptions
    }
}
