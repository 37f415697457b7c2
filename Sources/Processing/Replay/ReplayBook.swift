import EventLog
import Synchronization

/// How far a replay has come.
public struct ReplayProgress: Sendable, Hashable {
    /// Offsets to go through in all, and those finished.
    public var offsets: Int64 = 0
    public var finished: Int64 = 0
    /// Records that the processor answered with, dead letters apart.
    public var outputs: Int = 0
    public var deadLetters: Int = 0
    /// Records that failed and wait for another try, or behind such a one.
    public var parked: Int = 0

    public init(offsets: Int64 = 0, finished: Int64 = 0, outputs: Int = 0, deadLetters: Int = 0, parked: Int = 0) {
        self.offsets = offsets
        self.finished = finished
        self.outputs = outputs
        self.deadLetters = deadLetters
        self.parked = parked
    }
}

/// What a replay knows of each partition; shared by its consumer and whoever watches it.
final class ReplayBook: Sendable {
    private struct Part {
        let range: Range<Offset>
        /// Behind the last record that was delivered.
        var delivered: Offset
        var isDelivered = false
        var commit: Commit
    }
    private struct State {
        var parts: [TopicPartition: Part] = [:]
        var outputs = 0
        var deadLetters = 0
    }
    private let state = Mutex(State())
    private let letters: Topic

    init(letters: Topic) { self.letters = letters }

    func begin(_ ranges: [TopicPartition: Range<Offset>]) {
        state.withLock { state in
            state.parts = ranges.mapValues {
                Part(range: $0, delivered: $0.lowerBound, isDelivered: $0.isEmpty, commit: Commit(offset: $0.lowerBound))
            }
        }
    }

    func range(of partition: TopicPartition) -> Range<Offset>? { state.withLock { $0.parts[partition]?.range } }

    /// Records up to `offset` were handed to the runtime; `isAll` when no more come.
    func delivered(_ partition: TopicPartition, upTo offset: Offset, isAll: Bool) {
        state.withLock { state in
            state.parts[partition]?.delivered = offset
            state.parts[partition]?.isDelivered = isAll
        }
    }

    func committed(_ commits: [TopicPartition: Commit]) {
        state.withLock { state in
            for (partition, commit) in commits { state.parts[partition]?.commit = commit }
        }
    }

    func answered(_ outputs: [Record]) {
        let dead = outputs.count { $0.topic == letters }
        state.withLock { state in
            state.outputs += outputs.count - dead
            state.deadLetters += dead
        }
    }

    var commits: [TopicPartition: Commit] { state.withLock { $0.parts.mapValues(\.commit) } }

    /// Everything was delivered and is finished or parked.
    var isSettled: Bool {
        state.withLock { state in
            !state.parts.isEmpty && state.parts.values.allSatisfy { $0.isDelivered && $0.commit.offset >= $0.delivered }
        }
    }

    var progress: ReplayProgress {
        state.withLock { state in
            var progress = ReplayProgress(outputs: state.outputs, deadLetters: state.deadLetters)
            for part in state.parts.values {
                progress.offsets += Int64(part.range.count)
                let isDone = part.isDelivered && part.commit.offset >= part.delivered
                progress.finished += isDone ? Int64(part.range.count) : max(0, part.commit.offset - part.range.lowerBound)
                progress.parked += Progress(part.commit).parked.count
            }
            return progress
        }
    }
}
