import EventLog
import Service
import Synchronization

/// Sends dead letters back to the topics they came from.
///
/// What went back is remembered in the commits of a group of its own, `redrive.<group>`, per dead-letter partition:
/// everything below the offset went back but for the exceptions, the letters that a filter left (`Progress`). So a letter
/// goes back once, whatever filters follow each other, and a run that is killed is continued by the next: on SQLite
/// letters and commit are one transaction; on Kafka a crash between the two sends a batch again, with the same
/// (`ce_source`, `ce_id`). Membership in the group keeps a second run from doing the same at the same time: a run needs
/// all partitions, and of several that wait for them the one that has the first partition waits longest. A run that is
/// asked for its partitions ends the batch it is at and fails; the other one goes on behind it.
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
    /// How long to wait for all partitions, twice as long with the first of them: a run that was killed keeps its own until
    /// its session ends, 30 s on Kafka.
    var patience = Duration.seconds(45)

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
        let membership = Membership(consumer: consumer, ends: ends)
        let following = Task { try await membership.follow() }
        let result: Result<Report, any Error>
        do {
            result = .success(try await sweep(plan, ends, membership, tell))
        } catch let error as LogError where error.code == .fenced {
            result = .failure(AnotherRun())
        } catch {
            result = .failure(error)
        }
        // Ends the following, too.
        await consumer.close()
        _ = await following.result
        return try result.get()
    }

    private func sweep(
        _ plan: Plan, _ ends: [TopicPartition: Watermarks], _ membership: Membership, _ tell: (Int) -> Void
    ) async throws -> Report {
        let commits = try await membership.wait(upTo: patience)
        let reader = try await log.reader()
        defer { Task { await reader.close() } }
        var report = Report()
        var pace = Pace(rate: plan.rate, clock: clock)
        for (partition, commit) in commits.sorted(by: { $0.key < $1.key }) {
            var sweep = Sweep(partition, Progress(commit ?? Commit(offset: 0)), ends[partition]!)
            while report.redriven < plan.limit, let found = try await sweep.next(reader) {
                let batch = sweep.choose(from: found, plan, pace.batch, &report)
                if batch.isEmpty { continue }
                guard let commit = sweep.progress.encoded() else { throw NotesFull(partition: partition) }
                try await pace.wait(for: batch.count)
                try await membership.send(batch, [partition: commit])
                report.redriven += batch.count
                tell(report.redriven)
            }
        }
        return report
    }

    /// Somebody else does the same now.
    struct AnotherRun: ReadableError {
        var description: String { "another redrive of these letters is at work; run this again when it has ended" }
    }

    /// The exceptions of a commit no longer fit.
    struct NotesFull: ReadableError {
        let partition: TopicPartition
        var description: String {
            "what was left in \(partition) is too scattered to be remembered; nothing is lost: choose a wider filter, or none"
        }
    }
}

/// The run's place in the group. All partitions are started at their ends and read by offset instead: membership is for
/// the commits alone, and to keep others out.
private final class Membership: Sendable {
    private struct Place {
        var owned: [TopicPartition: Commit?] = [:]
        /// All were ours, and letters may have gone back.
        var hasBegun = false
        /// Something was taken since: another run may have sent what we mean to send.
        var isLost = false
        /// A batch is on its way, and who waits for its end.
        var isSending = false
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let consumer: any Consumer
    private let ends: [TopicPartition: Watermarks]
    private let place = Mutex(Place())

    init(consumer: any Consumer, ends: [TopicPartition: Watermarks]) {
        self.consumer = consumer
        self.ends = ends
    }

    /// Follows the group until the consumer is closed. What is asked back is given up: the next commit is refused then.
    func follow() async throws {
        while let event = try await consumer.next() {
            switch event {
            case .assigned(let assignment):
                if assignment.isEmpty { continue }
                var starts: [TopicPartition: Offset] = [:]
                for partition in assignment.keys { starts[partition] = ends[partition]?.high ?? 0 }
                try await consumer.pause(Array(assignment.keys))
                try await consumer.start(at: starts)
                place.withLock { $0.owned.merge(assignment) { $1 } }
            case .revoked(let partitions):
                forget(partitions)
                // Letters that went out must be noted by us: whoever comes next would send them again.
                await batchEnd()
                try await consumer.release(partitions)
            case .lost(let partitions): forget(partitions)
            case .records, .outOfRange: continue
            }
        }
    }

    private func forget(_ partitions: [TopicPartition]) {
        place.withLock { place in
            for partition in partitions { place.owned.removeValue(forKey: partition) }
            place.isLost = place.hasBegun
        }
    }

    private func batchEnd() async {
        await withCheckedContinuation { continuation in
            let isOver = place.withLock { place in
                if place.isSending { place.waiter = continuation }
                return !place.isSending
            }
            if isOver { continuation.resume() }
        }
    }

    /// Sends letters back and notes that. Throws `AnotherRun` when the partitions have not been all ours since `wait`.
    func send(_ letters: [Record], _ commits: [TopicPartition: Commit]) async throws {
        let isOurs = place.withLock { place in
            place.isSending = !place.isLost
            return !place.isLost
        }
        guard isOurs else { throw Redrive<ContinuousClock>.AnotherRun() }
        defer {
            place.withLock { place in
                defer { (place.isSending, place.waiter) = (false, nil) }
                return place.waiter
            }?.resume()
        }
        try await consumer.commit(commits, outputs: letters)
    }

    /// The commits of all partitions, once all are ours.
    func wait(upTo patience: Duration) async throws -> [TopicPartition: Commit?] {
        let begun = ContinuousClock.now
        let first = ends.keys.min()
        while true {
            let all = place.withLock { place in
                place.hasBegun = place.owned.count == ends.count
                return place.owned
            }
            if all.count == ends.count { return all }
            // Who has the first partition outlasts the others, and gets theirs when they go.
            let limit = first.map { all.keys.contains($0) } == true ? patience * 2 : patience
            if ContinuousClock.now - begun >= limit { break }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw Redrive<ContinuousClock>.AnotherRun()
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
