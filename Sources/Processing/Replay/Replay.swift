import EventLog
import Logging
import ServiceLifecycle

/// Runs a processor over a part of its inputs once more, beside the live group and without touching it.
///
/// It is the runtime with its order, retries and state, on a view of the log (`ReplayLog`). Outputs and dead letters are
/// counted and, unless `effects` is set, not written; a handler that asks to begin an effect is ended there, and its record
/// counts as done. State begins empty at the start of the range, in a folder of its
/// own, also state that survives: neither the live disk nor the state's topic is read or written. With a group, progress and state are kept under that name, so that a replay that was stopped goes on.
public struct Replay: Service {
    public struct Plan: Sendable {
        /// What to read of each input partition.
        public var ranges: @Sendable ([TopicPartition]) async throws(LogError) -> [TopicPartition: Range<Offset>]
        /// Group that keeps the replay's progress; nil keeps none. Never a group that has members.
        public var group: String?
        /// Write outputs and dead letters, and let effects begin.
        public var effects: Bool

        public init(
            ranges: @escaping @Sendable ([TopicPartition]) async throws(LogError) -> [TopicPartition: Range<Offset>],
            group: String? = nil, effects: Bool = false
        ) {
            self.ranges = ranges
            self.group = group
            self.effects = effects
        }
    }

    private let runtime: ProcessorRuntime<ContinuousClock>
    private let log: ReplayLog
    private let plan: Plan
    private let patience: Duration
    private let tell: @Sendable (ReplayProgress) -> Void

    /// - Parameters:
    ///   - configuration: its `stateDirectory` must be one of the replay's own.
    ///   - patience: how long to wait for parked records when nothing else is left.
    ///   - tell: told how far it is, four times a second and at the end.
    public init(
        of processor: some Processor, on log: any Log, _ plan: Plan, configuration: ProcessorRuntimeConfiguration,
        patience: Duration = .seconds(10), logger: Logger, tell: @escaping @Sendable (ReplayProgress) -> Void
    ) {
        var configuration = configuration
        configuration.start = .earliest
        configuration.mode = .replay(effects: plan.effects)
        self.plan = plan
        self.patience = patience
        self.tell = tell
        self.log = ReplayLog(base: log, plan: plan, book: ReplayBook(letters: processor.deadLetterTopic))
        runtime = ProcessorRuntime(
            processor: processor, log: self.log, configuration: configuration, clock: ContinuousClock(),
            wallTime: { .now }, logger: logger)
    }

    /// Ends when the range is finished, or when asked to stop.
    public func run() async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await runtime.run() }
            group.addTask { try await watch() }
            defer { group.cancelAll() }
            try await group.next()
        }
        try await keepProgress()
        tell(log.book.progress)
    }

    /// Returns when all is finished, or when what is left has been parked for too long.
    private func watch() async throws {
        var settledAt: ContinuousClock.Instant?
        var kept: [TopicPartition: Commit] = [:]
        while true {
            try await Task.sleep(for: .milliseconds(250))
            let progress = log.book.progress
            tell(progress)
            if log.book.isSettled {
                let since = settledAt ?? .now
                settledAt = since
                if progress.parked == 0 || ContinuousClock.now - since >= patience { return }
            } else {
                settledAt = nil
            }
            let commits = log.book.commits
            if commits != kept { try await keepProgress() }
            kept = commits
        }
    }

    private func keepProgress() async throws {
        guard let group = plan.group else { return }
        let commits = log.book.commits
        if !commits.isEmpty { try await log.base.admin.setCommits(commits, of: group) }
    }
}
