import EventLog
import Synchronization

/// Reads a range of each partition by offset, for a runtime that thinks it is a group's only member.
///
/// Commits are noted in the book and go to no group. Partitions take turns, a batch each, so that inputs that belong
/// together advance together.
final class ReplayConsumer: Consumer {
    private struct Part {
        var next: Offset
        let end: Offset
        var isPaused = false
    }
    private struct State {
        /// Nil until the assignment was told.
        var assignment: [TopicPartition: Commit?]?
        var parts: [TopicPartition: Part] = [:]
        /// Whose turn it is, over and over.
        var order: [TopicPartition] = []
        var isClosed = false
    }
    private enum Step {
        case assign([TopicPartition: Commit?])
        case read(TopicPartition, Offset, Offset)
        case wait
        case end
    }

    private let state: Mutex<State>
    private let ranges: [TopicPartition: Range<Offset>]
    private let reader: any Reader
    private let maxBatchRecords: Int
    private let log: ReplayLog
    /// Something changed for `next`, which waits.
    private let changes: AsyncStream<Void>
    private let changed: AsyncStream<Void>.Continuation

    init(
        assignment: [TopicPartition: Commit?], ranges: [TopicPartition: Range<Offset>], reader: any Reader,
        maxBatchRecords: Int, log: ReplayLog
    ) {
        state = Mutex(State(assignment: assignment))
        self.ranges = ranges
        self.reader = reader
        self.maxBatchRecords = maxBatchRecords
        self.log = log
        (changes, changed) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    func next() async throws(LogError) -> ConsumerEvent? {
        while true {
            switch state.withLock({ Self.step(&$0) }) {
            case .assign(let assignment): return .assigned(assignment)
            case .read(let partition, let from, let end):
                if let event = try await read(partition, from, end) { return event }
            case .wait:
                var iterator = changes.makeAsyncIterator()
                // Nil when the task is cancelled or the consumer is closed.
                guard await iterator.next() != nil else { return nil }
            case .end: return nil
            }
        }
    }

    private static func step(_ state: inout State) -> Step {
        if state.isClosed { return .end }
        if let assignment = state.assignment.take() { return .assign(assignment) }
        for (index, partition) in state.order.enumerated() {
            guard let part = state.parts[partition], !part.isPaused, part.next < part.end else { continue }
            state.order.append(state.order.remove(at: index))
            return .read(partition, part.next, part.end)
        }
        return .wait
    }

    private func read(_ partition: TopicPartition, _ from: Offset, _ end: Offset) async throws(LogError) -> ConsumerEvent? {
        let records: [StoredRecord]
        do throws(LogError) {
            records = try await reader.read(
                partition, from: from, maxRecords: Int(min(Offset(maxBatchRecords), end - from)), waitingUpTo: .seconds(1)
            ).filter { $0.offset < end }
        } catch {
            guard error.code == .offsetOutOfRange else { throw error }
            let held = try await log.base.admin.watermarks(of: [partition])[partition] ?? Watermarks(low: from, high: from)
            // Retention overtook the replay: it goes on with what is left.
            return .outOfRange(partition, requested: from, held: held)
        }
        // Nothing within the wait below the end: the rest was compacted away.
        let next = records.last.map { $0.offset + 1 } ?? end
        let isWanted = state.withLock { state in
            guard let part = state.parts[partition], part.next == from, !part.isPaused else { return false }
            state.parts[partition]?.next = next
            return true
        }
        guard isWanted else { return nil }
        if let last = records.last {
            log.book.delivered(partition, upTo: last.offset + 1, isAll: next >= end)
            return .records(partition, records)
        }
        log.book.delivered(partition, upTo: from, isAll: true)
        return nil
    }

    func start(at positions: [TopicPartition: Offset]) async throws(LogError) {
        state.withLock { state in
            for (partition, offset) in positions {
                let end = ranges[partition]?.upperBound ?? offset
                let isPaused = state.parts[partition]?.isPaused ?? false
                state.parts[partition] = Part(next: offset, end: end, isPaused: isPaused)
                log.book.delivered(partition, upTo: offset, isAll: offset >= end)
            }
            state.order = positions.keys.sorted()
        }
        changed.yield()
    }

    func pause(_ partitions: [TopicPartition]) async throws(LogError) { set(partitions, paused: true) }
    func resume(_ partitions: [TopicPartition]) async throws(LogError) { set(partitions, paused: false) }

    private func set(_ partitions: [TopicPartition], paused: Bool) {
        state.withLock { state in
            for partition in partitions { state.parts[partition]?.isPaused = paused }
        }
        changed.yield()
    }

    func seek(_ partition: TopicPartition, to offset: Offset) async throws(LogError) {
        let end = state.withLock { state in
            state.parts[partition]?.next = offset
            return state.parts[partition]?.end ?? offset
        }
        log.book.delivered(partition, upTo: offset, isAll: offset >= end)
        changed.yield()
    }

    func commit(_ commits: [TopicPartition: Commit], outputs: [Record]) async throws(LogError) {
        if !outputs.isEmpty { try await log.take(outputs) }
        log.book.committed(commits)
    }

    func produce(_ records: [Record], for sources: [TopicPartition]) async throws(LogError) -> [RecordPosition] {
        try await log.take(records)
        return []
    }

    func release(_ partitions: [TopicPartition]) async throws(LogError) {}

    func close() async {
        let wasClosed = state.withLock { state in
            defer { state.isClosed = true }
            return state.isClosed
        }
        changed.finish()
        if !wasClosed { await reader.close() }
    }
}
