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

        var isOrdered: Bool { work == .ordered }
        var concurrency: Int { if case .concurrent(let limit) = work { max(limit, 1) } else { 1 } }
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
        var isClosed = false
    }

    private enum Phase {
        case open
        /// Nothing begins any more; what runs may end until then.
        case draining(until: Instant)
        case committing(until: Instant)
        case closed
    }

    let rules: Rules
    private var random: any RandomNumberGenerator & Sendable
    private var phase = Phase.open
    private(set) var partitions: [TopicPartition: PartitionState] = [:]
    private var queues: KeyQueues
    private var retries = RetrySchedule<Instant>()
    private var running: [UInt64: Run<Instant>] = [:]
    private var lastRun: UInt64 = 0
    /// So many next records each make a batch of their own, because a batch with them failed as a whole.
    private var alone = 0
    /// When to look after handlers that take too long.
    private var watchAt: Instant?

    private(set) var overlay = StateOverlay()
    /// Outputs of finished records, in the order they finished.
    private var outputs: [Finished] = []
    /// Finished since the last commit began, and in the commit that is under way.
    private var uncommitted = (records: 0, bytes: 0)
    private var committing: CommitJob?
    private var isDirty = false
    /// Bytes of all records from receiving to commit.
    private var heldBytes = 0
    private var isFull = false

    init(rules: Rules, random: any RandomNumberGenerator & Sendable = SystemRandomNumberGenerator()) {
        self.rules = rules
        self.random = random
        queues = KeyQueues(isOrdered: rules.isOrdered)
    }

    // MARK: Events

    /// A partition is ours; `records` are the exceptions of its plan that are still held, to be handled first.
    mutating func begin(_ source: TopicPartition, _ plan: StartPlan, restoring records: [StoredRecord]) {
        var partition = PartitionState(plan, rules.configuration)
        var gone = plan.exceptions
        for record in records {
            gone.remove(record.offset)
            heldBytes += record.byteCount
            var work = partition.work(record)
            work.firstFailedAt = record.timestamp
            queues.append(work)
        }
        for offset in gone { partition.tracker.done(offset) }
        partitions[source] = partition
        isDirty = true
    }

    mutating func receive(_ source: TopicPartition, _ records: [StoredRecord]) {
        guard case .open = phase, let works = partitions[source]?.receive(records) else { return }
        for work in works {
            heldBytes += work.record.byteCount
            queues.append(work)
        }
    }

    /// A handler task is back. The result of one that was given up is dropped.
    mutating func finish(_ run: Run<Instant>, _ result: RunResult, at now: Moment<Instant>) {
        guard running.removeValue(forKey: run.id) != nil else { return }
        if result.mustBeRepeated {
            alone += run.works.count
            queues.prepend(run.works)
        } else {
            queues.prepend(Array(run.works.dropFirst(result.outcomes.count)))
            overlay.merge(result.writes)
            for (work, outcome) in zip(run.works, result.outcomes) {
                switch outcome {
                case .done(let outputs): settle(work, outputs)
                case .failed(let failure): park(work, failure, now)
                case .behind: follow(work)
                }
            }
            if !result.batchOutputs.isEmpty, run.works.first?.isSilent == false {
                outputs.append(Finished(work: nil, outputs: result.batchOutputs))
            }
        }
        queues.end(run.key)
    }

    mutating func committed(_ job: CommitJob) {
        guard committing != nil else { return }
        committing = nil
        overlay.flushed()
        heldBytes -= job.bytes
        for (source, progress) in job.progress { partitions[source]?.committed = progress }
    }

    /// Begin nothing more, finish and commit what runs, then close.
    mutating func drain(at now: Moment<Instant>) {
        guard case .open = phase else { return }
        phase = .draining(until: now.instant.advanced(by: rules.configuration.drainTimeout))
        for run in running.values { run.stop() }
    }

    /// Forget everything at once.
    mutating func close(at now: Moment<Instant>) {
        phase = .closed
        disownAll(now)
        queues = KeyQueues(isOrdered: rules.isOrdered)
        retries = RetrySchedule()
        outputs = []
    }

    // MARK: What follows

    mutating func turn(at now: Moment<Instant>) -> Turn {
        var turn = Turn()
        turn.timedOut = giveUpSlowRuns(now)
        movePhase(now)
        if case .open = phase {
            for work in retries.takeDue(at: now.instant) { queues.append(work) }
            while running.count < rules.concurrency, let run = nextRun(now) { turn.start.append(run) }
            turn.paused = pausedPartitions()
        }
        turn.commit = nextCommit()
        movePhase(now)
        if case .closed = phase { turn.isClosed = true }
        turn.wakeAt = wakeAt
        return turn
    }

    private var wakeAt: Instant? {
        switch phase {
        case .open: [retries.nextDue, watchAt].compactMap { $0 }.min()
        case .draining(let until), .committing(let until): [until, watchAt].compactMap { $0 }.min()
        case .closed: nil
        }
    }

    private mutating func movePhase(_ now: Moment<Instant>) {
        if case .draining(let until) = phase {
            if now.instant >= until { disownAll(now) }
            if running.isEmpty {
                phase = .committing(until: now.instant.advanced(by: rules.configuration.lastCommitTimeout))
            }
        }
        if case .committing(let until) = phase, (committing == nil && !isDirty) || now.instant >= until {
            close(at: now)
        }
    }

    private mutating func disownAll(_ now: Moment<Instant>) {
        for run in running.values { _ = run.disown(at: now.instant) }
        running = [:]
    }

    // MARK: Running

    private mutating func nextRun(_ now: Moment<Instant>) -> Run<Instant>? {
        while let key = queues.begin() {
            let works = takeWorks(key, now)
            if works.isEmpty {
                queues.end(key)
                continue
            }
            lastRun += 1
            let run = Run(id: lastRun, key: key, works: works, now: now.instant)
            running[run.id] = run
            if watchAt == nil { watchAt = now.instant.advanced(by: rules.configuration.handlerTimeout) }
            return run
        }
        return nil
    }

    /// The next records of a key that can be handled in one run; parks on the way those that must wait.
    private mutating func takeWorks(_ key: RecordKey, _ now: Moment<Instant>) -> [Work] {
        var works: [Work] = []
        let limit = rules.isOrdered && alone == 0 ? rules.configuration.maxBatchRecords : 1
        while works.count < limit, let work = queues.pop(key, if: { works.isEmpty || $0.canJoin(works[0]) }) {
            if work.attempts == 0, !retries.isEmpty, retries.blocks(OrderKey(work.record)) {
                follow(work)
            } else if case .failed(let failure) = work.fate {
                park(work, failure, now)
            } else {
                works.append(work)
                // A record that failed before runs alone: should it fail in a way that takes its batch along, none is.
                if work.attempts > 0 { break }
            }
        }
        if !works.isEmpty { alone = max(0, alone - 1) }
        return works
    }

    private mutating func settle(_ work: Work, _ outputs: [Record]) {
        partitions[work.record.source]?.tracker.done(work.record.offset)
        isDirty = true
        uncommitted.records += 1
        uncommitted.bytes += work.record.byteCount
        if !outputs.isEmpty, !work.isSilent { self.outputs.append(Finished(work: work, outputs: outputs)) }
        if work.attempts > 0 { queues.prepend(retries.settle(OrderKey(work.record))) }
    }

    private mutating func follow(_ work: Work) {
        var work = work
        work.fate = .toBeHandled
        partitions[work.record.source]?.tracker.park(work.record.offset)
        isDirty = true
        retries.follow(work)
    }

    /// Parks a record that failed: until its next try, or until its dead letter is written.
    private mutating func park(_ work: Work, _ failure: HandlerFailure, _ now: Moment<Instant>) {
        var work = work
        work.attempts += 1
        let first = work.firstFailedAt ?? now.wall
        work.firstFailedAt = first
        partitions[work.record.source]?.tracker.park(work.record.offset)
        isDirty = true
        let delay = failure.retryAfter ?? rules.retry.delay(afterAttempts: work.attempts, using: &random)
        let isLast =
            !failure.isTransient || work.attempts >= rules.retry.maxAttempts
            || now.wall + delay - first > rules.retry.maxAge
        work.fate = isLast ? .condemned(failure) : .toBeHandled
        retries.fail(work, until: isLast ? now.instant : now.instant.advanced(by: delay))
    }

    /// Takes back the records of handlers that ran too long. The guilty one is parked when its turn comes: records of
    /// its key may have been handled before it in the same batch, and they are handled again first.
    private mutating func giveUpSlowRuns(_ now: Moment<Instant>) -> [Work] {
        guard let at = watchAt, now.instant >= at else { return [] }
        let limit = rules.configuration.handlerTimeout
        var guilty: [Work] = []
        for run in Array(running.values) {
            guard let index = run.disown(olderThan: limit, at: now.instant) else { continue }
            running[run.id] = nil
            var works = run.works
            if case .condemned(let failure) = works[0].fate {
                settle(works[0], [deadLetter(works[0], failure, now)])
                works = []
            } else if index < works.count || works.count == 1 {
                let place = min(index, works.count - 1)
                works[place].fate = .failed(.transient("timeout", "no result within \(limit)"))
                guilty.append(works[place])
            } else {
                alone += works.count
            }
            queues.prepend(works)
            queues.end(run.key)
        }
        watchAt = running.values.map { $0.since.advanced(by: limit) }.min()
        return guilty
    }

    private func deadLetter(_ work: Work, _ failure: HandlerFailure, _ now: Moment<Instant>) -> Record {
        DeadLetter.record(of: work, failure: failure, group: rules.group, topic: rules.deadLetterTopic, now: now.wall)
    }

    // MARK: Commits and bounds

    /// One commit at a time takes everything that finished meanwhile: prompt when idle, large under load.
    private mutating func nextCommit() -> CommitJob? {
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

    private mutating func pausedPartitions() -> Set<TopicPartition> {
        let configuration = rules.configuration
        let records = partitions.values.reduce(uncommitted.records + (committing?.records ?? 0)) { $0 + $1.tracker.span }
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

extension Work {
    /// Whether it may share a batch with `first`.
    fileprivate func canJoin(_ first: Work) -> Bool {
        guard case .toBeHandled = fate else { return false }
        return attempts == 0 && isSilent == first.isSilent
    }
}
