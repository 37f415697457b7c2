import EventLog
import Logging
import Synchronization

/// One partition number of all inputs at work: the shell around `LaneState`.
///
/// Each event goes to the state under the lock; what the state answers is done after unlocking. Tasks exist only while
/// there is something for them: one per run, one per commit, one timer until the next moment that matters.
final class Lane<C: Clock>: Sendable where C.Duration == Duration {
    private struct Guarded {
        var machine: LaneState<C.Instant>
        var flow = Flow()
        var timer: (at: C.Instant, task: Task<Void, Never>)?
        var commit: Task<Void, Never>?
        var isClosed = false
        var waiters: [CheckedContinuation<Void, Never>] = []
        /// Handlers that wait for their mark.
        var lastMark: UInt64 = 0
        var marks: [UInt64: CheckedContinuation<Void, any Error>] = [:]
    }

    let partition: Int32
    let sources: [TopicPartition]
    let context: RuntimeContext<C>
    let processor: any Processor
    let disk: SQLiteStateStore?
    let journal: StateJournal?
    let stateRules: StateRules?
    let logger: Logger
    private let consumer: any Consumer
    /// Told when the lane cannot go on and nobody else can take over, either.
    private let fail: @Sendable (any Error) -> Void
    private let guarded: Mutex<Guarded>

    init(
        partition: Int32, machine: LaneState<C.Instant>, context: RuntimeContext<C>, consumer: any Consumer,
        disk: SQLiteStateStore?, journal: StateJournal? = nil, fail: @escaping @Sendable (any Error) -> Void
    ) {
        self.partition = partition
        sources = machine.partitions.sources.sorted()
        self.context = context
        processor = context.processor
        self.consumer = consumer
        self.disk = disk
        self.journal = journal
        stateRules = disk.map { disk in
            StateRules(
                survivors: context.processor.state.survivors, limits: context.processor.stateLimits,
                wallTime: context.wallTime, isFull: { disk.isFull })
        }
        self.fail = fail
        var logger = context.logger
        logger[metadataKey: LogKey.partition] = "\(partition)"
        self.logger = logger
        guarded = Mutex(Guarded(machine: machine))
    }

    /// Begins with what was restored.
    func begin() { step { _, _ in } }

    /// Takes records; returns when the consumer is paused if they fill the lane.
    func receive(_ source: TopicPartition, _ records: [StoredRecord]) async {
        context.observer.received(records.count, from: source)
        step { machine, _ in machine.receive(source, records) }
        await settleFlow()
    }

    func finish(_ run: Run<C.Instant>, _ result: RunResult) {
        step { machine, now in machine.finish(run, result, at: now) }
    }

    /// Carries an operator's order out; answers to how many records it was applied.
    func carryOut(_ order: ParkedOrder) -> Int {
        var applied = 0
        step { machine, now in applied = machine.carryOut(order, at: now) }
        return applied
    }

    /// Returns when the record is marked by a commit of ours; throws `EffectRefused` when that will not be.
    func beginEffect(_ run: Run<C.Instant>, _ record: StoredRecord) async throws {
        try await withCheckedThrowingContinuation { continuation in
            let isAwaited = guarded.withLock { guarded in
                guarded.lastMark += 1
                guarded.marks[guarded.lastMark] = continuation
                guarded.machine.requestMark(guarded.lastMark, run, record)
                return guarded.machine.isCommitToCome(by: guarded.timer?.at)
            }
            // Under load a commit is on its way, or the end of the gap before the next one has its timer.
            if !isAwaited { step { _, _ in } }
        }
    }

    private func answer(_ marks: EffectMarks.Answers) {
        if marks.granted.isEmpty, marks.refused.isEmpty { return }
        let (granted, refused) = guarded.withLock { guarded in
            (
                marks.granted.compactMap { guarded.marks.removeValue(forKey: $0) },
                marks.refused.compactMap { guarded.marks.removeValue(forKey: $0) }
            )
        }
        for continuation in granted { continuation.resume() }
        for continuation in refused { continuation.resume(throwing: EffectRefused()) }
    }

    /// Finishes or disowns what runs, commits, and returns when the lane is closed.
    func drain() async {
        step { machine, now in machine.drain(at: now) }
        await withCheckedContinuation { continuation in
            let isClosed = guarded.withLock { guarded in
                if !guarded.isClosed { guarded.waiters.append(continuation) }
                return guarded.isClosed
            }
            if isClosed { continuation.resume() }
        }
    }

    /// Forgets everything: the partitions are somebody else's.
    func drop() { step { machine, now in machine.close(at: now) } }

    /// What a handler wrote that the disk does not have yet.
    func overlaid(_ key: String) -> StateEntry? { guarded.withLock { $0.machine.overlay[key] } }

    /// Where the partitions stand.
    var standings: [TopicPartition: PartitionStanding] {
        guarded.withLock { $0.machine.partitions.standings }
    }

    private func step(_ event: (inout LaneState<C.Instant>, Moment<C.Instant>) -> Void) {
        let now = context.now
        let (turn, flows, waiters) = guarded.withLock { guarded in
            event(&guarded.machine, now)
            let turn = guarded.machine.turn(at: now)
            setTimer(turn.wakeAt, &guarded)
            if let job = turn.commit { guarded.commit = Task { await self.commit(job) } }
            if turn.isClosed { guarded.commit?.cancel() }
            guarded.isClosed = turn.isClosed
            let flows = !turn.isClosed && guarded.flow.want(turn.paused)
            let waiters = turn.isClosed ? guarded.waiters : []
            if turn.isClosed { guarded.waiters = [] }
            return (turn, flows, waiters)
        }
        for run in turn.start { run.attach(Task { await self.perform(run) }) }
        for work in turn.timedOut {
            let failure = HandlerFailure.transient("timeout", "")
            logger.info("handler took too long", metadata: LogKey.of(work.record, failure, attempt: work.past.attempts + 1))
        }
        answer(turn.marks)
        for change in turn.outages { context.observer.outage(change.scope.kind, isOpen: change.isOpen) }
        for source in turn.becameUnknown { context.observer.effectUnknown(source) }
        if flows { Task { await settleFlow() } }
        for waiter in waiters { waiter.resume() }
    }

    /// Makes sure that the lane wakes not later than `at`. An earlier timer may fire for nothing, which is cheaper than
    /// setting one for every record.
    private func setTimer(_ at: C.Instant?, _ guarded: inout Guarded) {
        guard let at else {
            guarded.timer?.task.cancel()
            guarded.timer = nil
            return
        }
        if let timer = guarded.timer, timer.at <= at { return }
        guarded.timer?.task.cancel()
        let task = Task {
            // A cancelled timer was replaced by an earlier one.
            guard (try? await context.clock.sleep(until: at, tolerance: nil)) != nil else { return }
            self.guarded.withLock { guarded in
                if guarded.timer?.at == at { guarded.timer = nil }
            }
            self.step { _, _ in }
        }
        guarded.timer = (at, task)
    }

    private func commit(_ job: CommitJob) async {
        let cycle = CommitCycle(context: context, consumer: consumer, disk: disk, journal: journal)
        do {
            try await cycle.run(job)
            for (source, progress) in job.progress {
                let standing = guarded.withLock { $0.machine.partitions[source]?.standing }
                context.observer.progressed(
                    source, to: progress.offset, parked: standing?.parked ?? 0, oldest: standing?.oldest)
            }
            step { machine, now in machine.committed(job, at: now) }
        } catch {
            if guarded.withLock(\.isClosed) { return }
            logger.error("lane stops: its progress cannot be committed", metadata: [LogKey.error: "\(error)"])
            drop()
            if !CommitCycle<C>.meansOthersOwn(error) { fail(error) }
        }
    }

    /// Makes the consumer follow `flow`. One task at a time does so: pause and resume must not overtake each other.
    private func settleFlow() async {
        while let change = guarded.withLock({ $0.isClosed ? nil : $0.flow.begin() }) {
            do {
                if !change.pause.isEmpty { try await consumer.pause(Array(change.pause)) }
                if !change.resume.isEmpty { try await consumer.resume(Array(change.resume)) }
            } catch {
                // Not ours any more: the event that says so is on its way.
                logger.info("partition could not be paused or resumed", metadata: [LogKey.error: "\(error)"])
            }
            guarded.withLock { $0.flow.end(change) }
        }
    }
}

/// Which partitions should be paused, and which are.
private struct Flow {
    struct Change {
        var pause: Set<TopicPartition>
        var resume: Set<TopicPartition>
    }

    private var wanted: Set<TopicPartition> = []
    private var actual: Set<TopicPartition> = []
    private var isBusy = false

    /// True when somebody must act.
    mutating func want(_ paused: Set<TopicPartition>) -> Bool {
        wanted = paused
        return !isBusy && wanted != actual
    }

    mutating func begin() -> Change? {
        guard !isBusy, wanted != actual else { return nil }
        isBusy = true
        return Change(pause: wanted.subtracting(actual), resume: actual.subtracting(wanted))
    }

    mutating func end(_ change: Change) {
        isBusy = false
        actual.formUnion(change.pause)
        actual.subtract(change.resume)
    }
}
