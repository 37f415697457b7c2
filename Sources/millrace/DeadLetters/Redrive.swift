import EventLog

/// Sends dead letters back to the topics they came from.
///
/// What went back is remembered in the commits of a group of its own, `redrive.<group>`, per dead-letter partition:
/// everything below the offset went back but for the exceptions, the letters that a filter left (`Progress`). So a letter
/// goes back once, whatever filters follow each other, and a run that is killed is continued by the next: on SQLite
/// letters and commit are one transaction; on Kafka a crash between the two sends a batch again, with the same
/// (`ce_source`, `ce_id`). Membership in the group keeps a second run from doing the same at the same time.
///
/// Letters of a partition, and so of a key, go back in the order they were written.
struct Redrive<C: Clock> where C.Duration == Duration {
    struct Plan {
        var filter: @Sendable (Letter) -> Bool
        /// Letters that went back so often already stay: what kills them is not passing.
        var maxRedrives: Int
        /// Letters per second; bounds what the processors have to digest.
        var rate: Double
        /// At most so many letters.
        var limit = Int.max
    }

    struct Report: Equatable {
        var redriven = 0
        /// Left because they went back too often, or do not say where they belong.
        var exhausted = 0
        var homeless = 0
    }

    let log: any Log
    let letters: Topic
    let group: String
    let clock: C

    static func groupName(of group: String) -> String { "redrive.\(group)" }

    /// Where the letters ended when the run began; those that die meanwhile are left for the next.
    func ends() async throws(LogError) -> [TopicPartition: Watermarks] {
        try await log.admin.watermarks(of: log.admin.partitions(of: letters))
    }

    func progress() async throws(LogError) -> [TopicPartition: Progress] {
        try await log.admin.commits(of: group, in: log.admin.partitions(of: letters)).mapValues(Progress.init)
    }

    /// - Parameter tell: told the number of letters that went back, after each batch.
    func run(_ plan: Plan, tell: (Int) -> Void = { _ in }) async throws -> Report {
        let ends = try await ends()
        let consumer = try await log.consumer(ConsumerConfiguration(group: group, topics: [letters]))
        let reader = try await log.reader()
        let result: Result<Report, any Error>
        do {
            result = .success(try await run(plan, ends, consumer, reader, tell))
        } catch {
            result = .failure(error)
        }
        await reader.close()
        await consumer.close()
        return try result.get()
    }

    private func run(
        _ plan: Plan, _ ends: [TopicPartition: Watermarks], _ consumer: any Consumer, _ reader: any Reader,
        _ tell: (Int) -> Void
    ) async throws -> Report {
        let owned = try await own(consumer, ends)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await Self.keepMembership(consumer) }
            defer { group.cancelAll() }
            var report = Report()
            var pace = Pace(rate: plan.rate, clock: clock)
            for (partition, commit) in owned.sorted(by: { $0.key < $1.key }) {
                var sweep = Sweep(partition, Progress(commit ?? Commit(offset: 0)), ends[partition]!)
                while report.redriven < plan.limit, let found = try await sweep.next(reader) {
                    let batch = sweep.choose(from: found, plan, pace.batch, &report)
                    if batch.isEmpty { continue }
                    guard let commit = sweep.progress.encoded() else {
                        throw NotesFull(partition: partition)
                    }
                    try await pace.wait(for: batch.count)
                    try await consumer.commit([partition: commit], outputs: batch)
                    report.redriven += batch.count
                    tell(report.redriven)
                }
            }
            return report
        }
    }

    /// Waits for the assignment. All partitions are started at their ends and read by offset instead: membership is for
    /// the commits alone.
    private func own(
        _ consumer: any Consumer, _ ends: [TopicPartition: Watermarks]
    ) async throws -> [TopicPartition: Commit?] {
        while let event = try await consumer.next() {
            guard case .assigned(let assignment) = event else { continue }
            guard assignment.count == ends.count else { throw AnotherRun() }
            try await consumer.pause(Array(assignment.keys))
            try await consumer.start(at: ends.mapValues(\.high))
            return assignment
        }
        throw LogError(.closed, "consumer")
    }

    /// Gives up what is asked back: the next commit is refused then, and the run ends.
    private static func keepMembership(_ consumer: any Consumer) async throws {
        while let event = try await consumer.next() {
            if case .revoked(let partitions) = event { try await consumer.release(partitions) }
        }
    }

    /// Somebody else does the same now.
    struct AnotherRun: Error, CustomStringConvertible {
        var description: String { "another redrive of these letters is at work; wait for its end and run this again" }
    }

    /// The exceptions of a commit no longer fit.
    struct NotesFull: Error, CustomStringConvertible {
        let partition: TopicPartition
        var description: String {
            "what was left in \(partition) is too scattered to be remembered; nothing is lost: choose a wider filter, or none"
        }
    }
}

/// One partition of letters on its way from the first that may go back to the end.
private struct Sweep {
    let partition: TopicPartition
    private(set) var progress: Progress
    private let end: Offset
    private var at: Offset

    init(_ partition: TopicPartition, _ progress: Progress, _ marks: Watermarks) {
        self.partition = partition
        self.progress = progress
        // Retention took what lies below.
        for offset in progress.parked.prefix(while: { $0 < marks.low }) { self.progress.parked.remove(offset) }
        if self.progress.offset < marks.low { self.progress.offset = marks.low }
        at = self.progress.parked.first ?? self.progress.offset
        end = marks.high
    }

    /// The next letters held, nil at the end.
    mutating func next(_ reader: any Reader) async throws -> [StoredRecord]? {
        guard at < end else { return nil }
        let found = try await reader.read(partition, from: at, maxRecords: 500, waitingUpTo: .seconds(1))
        return found.first.map { $0.offset < end } == true ? found : nil
    }

    /// Takes up to `most` letters that go back, and goes on behind the last one looked at.
    mutating func choose<C>(
        from found: [StoredRecord], _ plan: Redrive<C>.Plan, _ most: Int, _ report: inout Redrive<C>.Report
    ) -> [Record] {
        var batch: [Record] = []
        for record in found where record.offset < end {
            if batch.count >= min(most, plan.limit - report.redriven) { return batch }
            at = record.offset + 1
            if record.offset < progress.offset, !progress.parked.contains(record.offset) { continue }
            let letter = Letter(record)
            guard plan.filter(letter) else { continue }
            if letter.redriveCount >= plan.maxRedrives {
                report.exhausted += 1
            } else if let back = letter.redriven() {
                batch.append(back)
                note(record.offset)
            } else {
                report.homeless += 1
            }
        }
        return batch
    }

    /// The letter at `offset` goes back; those between the progress and it are left.
    private mutating func note(_ offset: Offset) {
        if offset < progress.offset { return progress.parked.remove(offset) }
        progress.parked.insert(progress.offset..<offset)
        progress.offset = offset + 1
    }
}

/// Spreads letters evenly over time.
private struct Pace<C: Clock> where C.Duration == Duration {
    private let clock: C
    private let gap: Duration
    private var next: C.Instant
    /// A tenth of a second's worth at once, at most 500.
    let batch: Int

    init(rate: Double, clock: C) {
        self.clock = clock
        gap = .seconds(1) / rate
        batch = min(max(Int(rate / 10), 1), 500)
        next = clock.now
    }

    /// Returns when so many more letters may go.
    mutating func wait(for letters: Int) async throws {
        try Task.checkCancellation()
        if clock.now < next { try await clock.sleep(until: next, tolerance: nil) }
        next = max(next, clock.now).advanced(by: gap * letters)
    }
}
