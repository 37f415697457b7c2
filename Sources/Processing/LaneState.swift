import EventLog

/// Everything a lane knows, and what follows from each event: the pure part of `Lane`.
///
/// A lane is one partition number of all inputs. Its records go
///
///     received ─▶ queued ─▶ running ─▶ finished ─▶ committed
///                   ▲          │ failed
///                   └─ parked ◀┘            (later records of the key wait behind it, parked too)
///
/// Every event is followed by `turn`, which answers what is to be done now.
struct LaneState<Instant: InstantProtocol & Sendable>: Sendable where Instant.Duration == Duration {
    struct Rules: Sendable {
        var configuration: ProcessorRuntimeConfiguration
        var retry: RetryPolicy
        var work: WorkMode
        var keepsState: Bool
        var group: String
        var deadLetterTopic: Topic
        var effects = EffectMode.none
        /// See `Processor.commitGap`.
        var commitGap = Duration.zero
        /// Main inputs; each has hands and room of its own in concurrent mode.
        var inputs: [Topic] = []
        var sideInputs: Set<Topic> = []
        /// The processor's word on a record, see there.
        var scope: @Sendable (StoredRecord) -> String? = { _ in nil }
        var deadline: @Sendable (StoredRecord) -> Timestamp? = { _ in nil }

        var isOrdered: Bool { work == .ordered }
        /// Main inputs that are told apart: in ordered mode all share one line.
        var lines: Int { isOrdered ? 1 : max(1, inputs.count) }
        func line(of topic: Topic) -> Int { isOrdered ? 0 : inputs.firstIndex(of: topic) ?? 0 }
        var concurrency: Int { if case .concurrent(let limit) = work { max(limit, 1) } else { 1 } }
        var queues: KeyQueues { KeyQueues(isOrdered: isOrdered, inputs: lines, hands: concurrency, scope: scope) }
    }

    /// What the lane's shell is to do after an event.
    struct Turn: Sendable {
        var start: [Run<Instant>] = []
        var commit: CommitJob?
        /// When to come back if nothing else happens.
        var wakeAt: Instant?
        /// Partitions that should stand still.
        var paused: Set<TopicPartition> = []
        /// Records whose handler took too long.
        var timedOut: [Work] = []
        /// Handlers that wait for their mark: these may act, those must not.
        var marks = EffectMarks.Answers()
        /// One entry per record whose effect's outcome became unknown.
        var becameUnknown: [TopicPartition] = []
        var outages: [OutageChange] = []
        var isClosed = false
    }

    enum Phase {
        case open
        /// Nothing begins any more; what runs may end until then.
        case draining(until: Instant)
        case committing(until: Instant)
        case closed
    }

    let rules: Rules
    var random: any RandomNumberGenerator & Sendable
    var phase = Phase.open
    var partitions = LanePartitions()
    var queues: KeyQueues
    var retries = RetrySchedule<Instant>()
    var running = RunningRuns<Instant>()
    var lastRun: UInt64 = 0
    /// So many next records each make a batch of their own, because a batch with them failed as a whole.
    var alone = 0
    /// When to look after handlers that take too long.
    var watchAt: Instant?
    var marks = EffectMarks()
    var becameUnknown: [TopicPartition] = []
    var breakers: Breakers<Instant>
    var outageChanges: [OutageChange] = []
    /// Since when all is down, and for how long it was before.
    var downSince: Timestamp?
    var downBefore = Duration.zero
    /// When the progress is committed again although it has not changed.
    var recommitAt: Instant?
    var mustRecommit = false

    var overlay = StateOverlay()
    /// Outputs of finished records, in the order they finished.
    var outputs: [Finished] = []
    /// Finished since the last commit began, and in the commit that is under way.
    var uncommitted = (records: 0, bytes: 0)
    var committing: CommitJob?
    var isDirty = false
    /// Records were parked that had not begun. A commit that says so is worth little of its own; the end of a run brings one.
    var isNoteOld = false
    /// When the next commit may begin.
    var commitAt: Instant?
    /// Bytes of all records from receiving to commit, and of what they cause.
    var heldBytes = 0
    /// By main input.
    var isFull: [Bool]
    var isSideFull = false

    init(rules: Rules, random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()) {
        self.rules = rules
        self.random = random
        queues = rules.queues
        isFull = Array(repeating: false, count: rules.lines)
        breakers = Breakers(pauses: rules.configuration.outagePauses)
    }

    // MARK: Events

    /// A partition is ours; `records` are the exceptions of its plan that are still held, to be handled first.
    mutating func begin(
        _ source: TopicPartition, _ plan: StartPlan, restoring records: [StoredRecord], now: Timestamp
    ) {
        var partition = PartitionState(plan, rules.configuration, effects: rules.effects)
        partition.isSide = rules.sideInputs.contains(source.topic)
        partition.input = rules.line(of: source.topic)
        partition.place = partitions.sources.count
        var gone = plan.exceptions
        for record in records {
            gone.remove(record.offset)
            var work = partition.work(record)
            heldBytes += work.bytes
            partition.tracker.restore(record)
            if let tries = plan.tries[record.offset] {
                let begun = tries.effects.map { BegunEffects(count: $0.count, first: record.timestamp + .seconds($0.seconds)) }
                work.past = .init(
                    attempts: tries.attempts, firstFailedAt: tries.attempts > 0 ? now - .seconds(tries.seconds) : nil,
                    begun: begun ?? BegunEffects())
            } else if !plan.triesAreComplete {
                // It may have failed often: its own time bounds it.
                work.past.firstFailedAt = record.timestamp
                work.past.begun.isLowerBound = true
            }
            queues.append([work])
        }
        for offset in gone { partition.tracker.done(offset) }
        for _ in partition.tracker.attempted { becameUnknown.append(source) }
        partitions.append(source, partition)
        isDirty = true
    }

    mutating func receive(_ source: TopicPartition, _ records: [StoredRecord]) {
        guard case .open = phase, let place = partitions.place(of: source) else { return }
        let works = partitions[place].receive(records)
        works.forEach(in: works.indices) { _, bytes in heldBytes += bytes }
        queues.append(works)
    }

    mutating func committed(_ job: CommitJob, at now: Moment<Instant>) {
        guard committing != nil else { return }
        if !marks.committing.isEmpty { grantMarks(at: now) }
        committing = nil
        overlay.flushed()
        heldBytes -= job.bytes
        for (source, progress) in job.progress {
            guard let place = partitions.place(of: source) else { continue }
            partitions[place].committed = progress
            partitions[place].tracker.forgetSeals(below: progress.offset)
        }
    }

    /// Begin nothing more, finish and commit what runs, then close.
    mutating func drain(at now: Moment<Instant>) {
        guard case .open = phase else { return }
        phase = .draining(until: now.instant.advanced(by: rules.configuration.drainTimeout))
        for run in running.all { run.stop() }
        marks.refuseWaiting()
    }

    /// Forget everything at once.
    mutating func close(at now: Moment<Instant>) {
        phase = .closed
        disownAll(now)
        marks.refuseWaiting()
        queues = rules.queues
        retries = RetrySchedule()
        for scope in breakers.closeAll() { noteClosed(scope, now) }
        outputs = []
    }

    // MARK: What follows

    mutating func turn(at now: Moment<Instant>) -> Turn {
        var turn = Turn()
        turn.timedOut = giveUpSlowRuns(now)
        movePhase(now)
        if case .open = phase {
            beginProbes(now)
            for var work in retries.takeDue(at: now.instant) {
                work.past.endHold(now.wall)
                queues.append([work])
            }
            noteRecommit(now)
            beginRuns(now, &turn.start)
            turn.paused = pausedPartitions()
        }
        turn.commit = nextCommit(now)
        if turn.commit != nil, mustRecommit { (mustRecommit, recommitAt) = (false, nil) }
        movePhase(now)
        if case .closed = phase { turn.isClosed = true }
        turn.wakeAt = wakeAt(now)
        swap(&turn.outages, &outageChanges)
        turn.marks = marks.takeAnswers()
        swap(&turn.becameUnknown, &becameUnknown)
        return turn
    }

    /// Brokers forget a progress that is not committed for long.
    private mutating func noteRecommit(_ now: Moment<Instant>) {
        if recommitAt == nil { recommitAt = now.instant.advanced(by: rules.configuration.recommitInterval) }
        if let at = recommitAt, now.instant >= at { (isDirty, mustRecommit) = (true, true) }
    }

    private mutating func wakeAt(_ now: Moment<Instant>) -> Instant? {
        switch phase {
        case .open:
            var next = Self.earlier(retries.nextDue, watchAt)
            if !mustRecommit { next = Self.earlier(next, recommitAt) }
            return Self.earlier(Self.earlier(next, outageWakeAt(now)), commitWakeAt(now))
        case .draining(let until), .committing(let until): return Self.earlier(until, watchAt)
        case .closed: return nil
        }
    }

    private static func earlier(_ a: Instant?, _ b: Instant?) -> Instant? {
        guard let a else { return b }
        return b.map { min(a, $0) } ?? a
    }

    private mutating func movePhase(_ now: Moment<Instant>) {
        if case .draining(let until) = phase {
            if now.instant >= until { disownAll(now) }
            if running.isEmpty {
                phase = .committing(until: now.instant.advanced(by: rules.configuration.lastCommitTimeout))
            }
        }
        if case .committing(let until) = phase, (committing == nil && !isDirty && !isNoteOld) || now.instant >= until {
            close(at: now)
        }
    }

    private mutating func disownAll(_ now: Moment<Instant>) {
        for run in running.all {
            _ = run.disown(at: now.instant)
            marks.refuse(run: run.id)
            running.end(run.id)
        }
    }
}
