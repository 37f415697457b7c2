import EventLog

/// A handler that waits for its record to be marked `attempted`.
struct EffectMark: Sendable, Hashable {
    let id: UInt64
    let run: UInt64
    let source: TopicPartition
    let offset: Offset
}

/// The marks that handlers asked for, on their way through a commit.
///
///     requested ─▶ waiting ─▶ committing ─▶ granted
///         └───────────┴────────────┴──────▶ refused       (the run was given up, or the lane closes)
///
/// Each request is answered once.
struct EffectMarks: Sendable {
    struct Answers: Sendable {
        var granted: [UInt64] = []
        var refused: [UInt64] = []
    }

    private(set) var waiting: [EffectMark] = []
    private(set) var committing: [EffectMark] = []
    private var answers = Answers()

    var isWaiting: Bool { !waiting.isEmpty }
    /// Somebody is to be told.
    var hasAnswers: Bool { !answers.granted.isEmpty || !answers.refused.isEmpty }

    /// The handlers of these runs stand still for the log, which is not held against them.
    var runs: Set<UInt64> { Set(waiting.map(\.run)).union(committing.map(\.run)) }

    mutating func request(_ mark: EffectMark) { waiting.append(mark) }
    mutating func refuse(_ mark: EffectMark) { answers.refused.append(mark.id) }

    /// Moves what `admits` takes into the commit that begins now. The others wait for room.
    mutating func beginCommit(_ isAdmitted: (EffectMark) -> Bool) {
        precondition(committing.isEmpty, "one commit at a time")
        committing = waiting.filter(isAdmitted)
        waiting.removeAll(where: isAdmitted)
    }

    /// The commit is durable: answers the runs that may go on.
    mutating func granted() -> Set<UInt64> {
        defer { committing = [] }
        answers.granted += committing.map(\.id)
        return Set(committing.map(\.run))
    }

    /// Nothing new may begin; what a commit carries already may.
    mutating func refuseWaiting() {
        answers.refused += waiting.map(\.id)
        waiting = []
    }

    mutating func refuse(run: UInt64) {
        answers.refused += Self.take(run, from: &waiting)
        answers.refused += Self.take(run, from: &committing)
    }

    /// Of most runs that end, none.
    private static func take(_ run: UInt64, from marks: inout [EffectMark]) -> [UInt64] {
        guard marks.contains(where: { $0.run == run }) else { return [] }
        defer { marks.removeAll { $0.run == run } }
        return marks.compactMap { $0.run == run ? $0.id : nil }
    }

    mutating func takeAnswers() -> Answers {
        defer { answers = Answers() }
        return answers
    }
}
