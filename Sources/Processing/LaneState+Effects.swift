import EventLog

/// Effects: marked by a commit before they begin, unknown to whoever comes after.
extension LaneState {
    /// A handler is about to act. The answer comes with a later turn.
    mutating func requestMark(_ id: UInt64, _ run: Run<Instant>, _ record: StoredRecord) {
        let mark = EffectMark(id: id, run: run.id, source: record.source, offset: record.offset)
        if case .open = phase, running[run.id] != nil { marks.request(mark) } else { marks.refuse(mark) }
    }

    /// Whether marks that wait are looked at without another turn now: after the commit that is under way, or when the timer
    /// of the lane's shell wakes it.
    func isCommitToCome(by timer: Instant?) -> Bool {
        guard case .open = phase, !marks.hasAnswers else { return false }
        if committing != nil { return true }
        guard let timer, let commitAt else { return false }
        return timer <= commitAt
    }

    /// Lists in the next commit what the notes of its partitions have room for.
    mutating func admitMarks() {
        guard marks.isWaiting else { return }
        var admitted: Set<EffectMark> = []
        for (source, ofPartition) in Dictionary(grouping: marks.waiting, by: \.source) {
            guard let place = partitions.place(of: source) else { continue }
            let offsets = partitions[place].mark(ofPartition.map(\.offset))
            admitted.formUnion(ofPartition.filter { offsets.contains($0.offset) })
        }
        marks.beginCommit(admitted.contains)
    }

    /// The commit with the marks is durable: their handlers' time counts again.
    mutating func grantMarks(at now: Moment<Instant>) {
        for id in marks.granted() { running[id]?.restart(at: now.instant) }
        watchAt = nextWatch
    }

    /// A record left its handler unfinished. Its mark stays unless nothing happened.
    ///
    /// - Parameter isFinal: the handler knows how it ended and gives up; what is marked until the dead letter is written is
    ///   no unknown outcome.
    mutating func leaveMark(of work: Work, _ outcome: EffectOutcome, isFinal: Bool = false) {
        guard partitions[work.place].tracker.isMarked(work.record.offset) else { return }
        switch outcome {
        case .none: partitions[work.place].tracker.unmark(work.record.offset)
        case .unknown: if work.effect == .none, !isFinal { becameUnknown.append(work.record.source) }
        }
    }

    mutating func effect(of work: Work) -> EffectOutcome {
        partitions[work.place].tracker.isMarked(work.record.offset) ? .unknown : .none
    }

    /// When the first running handler will have taken too long. Those that wait for a mark have time.
    var nextWatch: Instant? {
        let waiting = marks.runs
        return running.all.filter { !waiting.contains($0.id) }
            .map { $0.since.advanced(by: rules.configuration.handlerTimeout) }.min()
    }
}
