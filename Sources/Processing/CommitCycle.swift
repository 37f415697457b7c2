import EventLog
import Logging

/// Makes one commit's work durable: outputs, then state, then the group's progress.
///
/// Whatever happens between the steps, nothing is lost: a new owner handles again what the progress does not cover
/// (copies of outputs carry the same ids) and skips what the state already contains. What the log refuses for a passing
/// reason is repeated for ever; the lane's bound stops new records meanwhile.
struct CommitCycle<C: Clock> where C.Duration == Duration {
    let context: RuntimeContext<C>
    let consumer: any Consumer
    let disk: SQLiteStateStore?
    /// For state that survives its disk.
    var journal: StateJournal?

    func run(_ job: CommitJob) async throws {
        guard let state = job.state, disk != nil, await mustFlush(state) else { return try await commit(job) }
        try await flush(state, job)
        if job.progress.isEmpty { return }
        try await context.persist(at: "commit") { try await consumer.commit(job.commits) }
    }

    /// Where nobody wrote, the disk needs not know how far we are, unless it says how far the inputs are read again.
    private func mustFlush(_ state: StateFlush) async -> Bool {
        if !state.writes.isEmpty || context.processor.state == .rebuiltFromInputs { return true }
        return await journal?.mayHaveOwnWrites(context.wallTime()) ?? false
    }

    /// Outputs, the state's topic, the disk.
    func flush(_ state: StateFlush, _ job: CommitJob) async throws {
        let now = context.wallTime()
        let survivors = context.processor.state.survivors
        guard let journal, let flush = try await persistState({
            try await journal.prepare(state.writes, state.applied, survivors: survivors, now: now)
        }) else {
            try await produce(job)
            return try await write(.init(writes: state.writes, progress: state.applied, now: now))
        }
        let positions = try await produce(job, with: flush)
        let (doubts, position) = try await persistState { try await journal.confirm(positions, flush) }
        try await write(
            .init(writes: flush.writes, progress: state.applied, doubts: doubts, position: position, now: now))
    }

    private func write(_ transaction: SQLiteStateStore.Transaction) async throws {
        guard let disk else { return }
        let outcome = try await persistState { try await disk.write(transaction) }
        if outcome.evicted > 0 { context.observer.evicted(outcome.evicted) }
    }

    private func persistState<T>(_ body: () async throws -> T) async throws -> T {
        try await context.persist(at: "state", if: Self.isPassingStateError, body)
    }

    /// Without state, one call does it all: a single transaction on SQLite.
    private func commit(_ job: CommitJob) async throws {
        let outputs = job.outputRecords
        if outputs.isEmpty, job.progress.isEmpty { return }
        do {
            try await context.persist(at: "commit") { try await consumer.commit(job.commits, outputs: outputs) }
            context.observer.produced(outputs.count)
        } catch let error as LogError where Self.condemnsOutputs(error) {
            try await produceOneByOne(job)
            try await context.persist(at: "commit") { try await consumer.commit(job.commits) }
        }
    }

    private func produce(_ job: CommitJob) async throws {
        let outputs = job.outputRecords
        if outputs.isEmpty { return }
        do {
            try await send(outputs, job.sources)
        } catch let error as LogError where Self.condemnsOutputs(error) {
            try await produceOneByOne(job)
        }
    }

    /// The outputs, and with them a flush of the state, which counts when all of them are durable.
    private func produce(_ job: CommitJob, with flush: StateJournal.Flush) async throws -> [RecordPosition] {
        do {
            return try await send(job.outputRecords + flush.entries, sealedBy: flush.seal, job)
        } catch let error as LogError where Self.condemnsOutputs(error) && !job.outputs.isEmpty {
            try await produceOneByOne(job)
            return try await send(flush.entries, sealedBy: flush.seal, job)
        }
    }

    private func send(_ records: [Record], sealedBy seal: [Record], _ job: CommitJob) async throws -> [RecordPosition] {
        let positions = try await context.persist(at: "produce") {
            try await consumer.produce(records, sealedBy: seal, for: job.sources)
        }
        context.observer.produced(records.count + seal.count)
        return positions
    }

    /// One output can never be written: find it, so that it does not hold up the others, and put a dead letter of its
    /// cause in its place. The output of a whole batch has no single cause: then the runtime fails.
    private func produceOneByOne(_ job: CommitJob) async throws {
        for finished in job.outputs {
            do {
                try await send(finished.outputs, job.sources)
            } catch let error as LogError where Self.condemnsOutputs(error) {
                guard let work = finished.work else { throw error }
                let failure = HandlerFailure.permanent("output-\(error.code.name)", error.detail)
                context.logger.warning(
                    "output refused by the log, its cause is dead-lettered",
                    metadata: LogKey.of(work.record, failure, attempt: work.past.attempts + 1))
                let letter = DeadLetter.record(
                    of: work, failure: failure, group: context.group,
                    topic: context.deadLetterTopic, now: context.wallTime())
                try await send([letter], job.sources)
            }
        }
    }

    private func send(_ records: [Record], _ sources: [TopicPartition]) async throws {
        _ = try await context.persist(at: "produce") { try await consumer.produce(records, for: sources) }
        context.observer.produced(records.count)
    }

    /// Sending the same records again would fail again.
    private static func condemnsOutputs(_ error: LogError) -> Bool {
        [.recordTooLarge, .unknownTopic, .invalidTopic].contains(error.code)
    }

    /// A full disk or a busy file passes, a successor does not, nor what the log says for good.
    @Sendable static func isPassingStateError(_ error: any Error) -> Bool {
        if let error = error as? LogError { return error.isRetriable }
        return !(error is SQLiteStateStore.Superseded || error is CancellationError)
    }

    /// Somebody else goes on with these partitions.
    static func meansOthersOwn(_ error: any Error) -> Bool {
        error is SQLiteStateStore.Superseded || (error as? LogError)?.code == .fenced
    }
}
