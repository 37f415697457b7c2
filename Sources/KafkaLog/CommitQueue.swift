import EventLog

/// Orders a member's commits: one request at a time, what waits meanwhile goes out together, and no commit is lower
/// than one before it. A pure state machine; the consumer's thread holds it and acts on its answers.
///
/// Under load all lanes commit as soon as they may, and each request costs the brokers, which store it three times, as
/// much as some hundred records. So requests keep a distance on the average, but for those with marks in their notes: an
/// effect waits for these.
struct CommitQueue {
    typealias Answer = @Sendable (Result<Void, LogError>) -> Void

    private struct Waiter {
        let commits: [TopicPartition: Commit]
        let deadline: ContinuousClock.Instant
        let answer: Answer
        /// An effect may wait for it.
        let hasMarks: Bool
    }

    /// From one request to the next, on the average.
    static let distance = Duration.milliseconds(20)
    /// After a quiet time so many go out at once.
    static let burst = 10

    private var waiting: [Waiter] = []
    /// When the next request would keep its distance from all before it.
    private var even: ContinuousClock.Instant
    private var inFlight: [Waiter] = []
    private var request: [TopicPartition: Commit] = [:]
    /// Highest offset of each owned partition that the group has stored for us.
    private var highest: [TopicPartition: Offset] = [:]
    private(set) var isInFlight = false

    init(now: ContinuousClock.Instant = .now) { even = now }

    mutating func add(
        _ commits: [TopicPartition: Commit], deadline: ContinuousClock.Instant, answer: @escaping Answer
    ) {
        let hasMarks = commits.values.contains { !$0.metadata.isEmpty && !Progress($0).attempted.isEmpty }
        waiting.append(Waiter(commits: commits, deadline: deadline, answer: answer, hasMarks: hasMarks))
    }

    /// When the next request may go out, marks apart; nil when none is wanted or one is under way.
    var due: ContinuousClock.Instant? {
        waiting.isEmpty || isInFlight ? nil : even - Self.distance * (Self.burst - 1)
    }

    /// Puts what waits into one request. Nil while one is under way or not due, or when there is nothing to ask for.
    /// Waiters with a partition that is not `owned` are answered `.fenced`; nothing of theirs is committed.
    mutating func next(
        owned: Set<TopicPartition>, at now: ContinuousClock.Instant, answers: inout [() -> Void]
    ) -> [TopicPartition: Commit]? {
        guard let due, due <= now || waiting.contains(where: \.hasMarks) else { return nil }
        request = [:]
        for waiter in waiting {
            guard waiter.commits.keys.allSatisfy(owned.contains) else {
                let fenced = LogError(.fenced, "partition not owned by this member")
                answers.append { waiter.answer(.failure(fenced)) }
                continue
            }
            for (partition, commit) in waiter.commits {
                let floor = max(highest[partition] ?? 0, request[partition]?.offset ?? 0)
                if commit.offset >= floor { request[partition] = commit }
            }
            inFlight.append(waiter)
        }
        waiting = []
        if request.isEmpty {
            finish(with: { _ in .success(()) }, answers: &answers)
            return nil
        }
        isInFlight = true
        even = max(even, now) + Self.distance
        return request
    }

    /// The request is over. `result` says how for each waiter's partitions.
    mutating func finish(
        with result: ([TopicPartition: Commit]) -> Result<Void, LogError>, answers: inout [() -> Void]
    ) {
        for waiter in inFlight {
            let outcome = result(waiter.commits)
            answers.append { waiter.answer(outcome) }
        }
        for (partition, commit) in request {
            if case .success = result([partition: commit]) { highest[partition] = commit.offset }
        }
        request = [:]
        inFlight = []
        isInFlight = false
    }

    /// The request failed for a passing reason: those whose time is not up wait again, in front.
    mutating func retry(at now: ContinuousClock.Instant, error: LogError, answers: inout [() -> Void]) {
        let (late, again) = (inFlight.filter { $0.deadline <= now }, inFlight.filter { $0.deadline > now })
        for waiter in late { answers.append { waiter.answer(.failure(error)) } }
        waiting = again + waiting
        inFlight = []
        isInFlight = false
    }

    /// Answers everybody the same: no request will follow.
    mutating func failAll(_ error: LogError, answers: inout [() -> Void]) {
        for waiter in inFlight + waiting { answers.append { waiter.answer(.failure(error)) } }
        (inFlight, waiting, isInFlight) = ([], [], false)
    }

    /// These are not ours any more; a later ownership starts afresh.
    mutating func forget(_ partitions: some Sequence<TopicPartition>) {
        for partition in partitions { highest[partition] = nil }
    }
}
