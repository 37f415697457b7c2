import EventLog
import Synchronization

/// What a consumer's thread has fetched and `next()` has not taken: the bounded place between the two.
///
/// Membership events overtake records. An out-of-range event stays behind the records fetched before it.
final class ConsumerBuffer: Sendable {
    typealias Outcome = Result<ConsumerEvent?, LogError>

    private struct State {
        var events: [ConsumerEvent] = []
        var records: BufferedRecords
        var end: Outcome?
        var waiter: CheckedContinuation<Outcome, Never>?
    }

    private let maxBytes: Int
    /// Called, off the lock, when the buffer falls to half of its bound.
    private let onRoom: @Sendable () -> Void
    private let state: Mutex<State>

    init(maxBytes: Int, maxBatchRecords: Int, onRoom: @escaping @Sendable () -> Void) {
        self.maxBytes = maxBytes
        self.onRoom = onRoom
        state = Mutex(State(records: BufferedRecords(maxBatchRecords: maxBatchRecords)))
    }

    var isFull: Bool { state.withLock { $0.records.bytes >= maxBytes } }
    var hasRoom: Bool { state.withLock { $0.records.bytes <= maxBytes / 2 } }

    func next() async -> Outcome {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                update { state in
                    precondition(state.waiter == nil, "one task at a time calls next()")
                    if Task.isCancelled { return [{ continuation.resume(returning: .success(nil)) }] }
                    state.waiter = continuation
                    return []
                }
            }
        } onCancel: {
            update { state in
                guard let waiter = state.waiter else { return [] }
                state.waiter = nil
                return [{ waiter.resume(returning: .success(nil)) }]
            }
        }
    }

    func post(_ event: ConsumerEvent) {
        update { state in
            state.events.append(event)
            return []
        }
    }

    /// Whether `.assigned` waits to be taken: until then its partitions are not the caller's.
    var holdsAssignment: Bool { state.withLock { $0.events.contains(where: \.isAssignment) } }

    /// Takes back an `.assigned` that nobody has seen. False when it has been taken.
    func withdrawAssignment() -> Bool {
        var isWithdrawn = false
        update { state in
            let index = state.events.firstIndex(where: \.isAssignment)
            if let index { state.events.remove(at: index) }
            isWithdrawn = index != nil
            return []
        }
        return isWithdrawn
    }

    func append(_ chunks: [Intake.Chunk]) {
        if chunks.isEmpty { return }
        update { state in
            for chunk in chunks { state.records.append(chunk) }
            return []
        }
    }

    func postOutOfRange(_ partition: TopicPartition, _ event: ConsumerEvent) {
        update { state in
            state.records.append(partition, outOfRange: event)
            return []
        }
    }

    /// Gives out nothing of these partitions from now on, or goes on with what is held of them.
    func setPaused(_ partitions: some Sequence<TopicPartition>, _ isPaused: Bool) {
        update { state in
            for partition in partitions { state.records.setPaused(partition, isPaused) }
            return []
        }
    }

    /// Drops what is held of these partitions.
    func discard(_ partitions: some Sequence<TopicPartition>) {
        update { state in
            for partition in partitions { state.records.remove(partition) }
            return []
        }
    }

    /// Drops the records held of a partition that is to wait, so that they do not take the others' room. Answers the
    /// first offset dropped, from where to fetch again.
    func discardRecords(of partition: TopicPartition) -> Offset? {
        var first: Offset?
        update { state in
            first = state.records.removeRecords(of: partition)
            return []
        }
        return first
    }

    /// What `next()` answers once the events before it are taken: nil for a closed consumer, or a fatal error.
    func finish(_ outcome: Outcome) {
        update { state in
            if state.end == nil { state.end = outcome }
            state.events = []
            return []
        }
    }

    /// Changes the state, then serves the waiter if there is something for it. Continuations run off the lock.
    private func update(_ change: (inout State) -> [() -> Void]) {
        var after: [() -> Void] = []
        var madeRoom = false
        state.withLock { state in
            let before = state.records.bytes
            after = change(&state)
            if let waiter = state.waiter, let outcome = take(from: &state) {
                state.waiter = nil
                after.append { waiter.resume(returning: outcome) }
            }
            madeRoom = before > maxBytes / 2 && state.records.bytes <= maxBytes / 2
        }
        for action in after { action() }
        if madeRoom { onRoom() }
    }

    private func take(from state: inout State) -> Outcome? {
        if !state.events.isEmpty { return .success(state.events.removeFirst()) }
        if let end = state.end { return end }
        return state.records.take().map { .success($0) }
    }
}

extension ConsumerEvent {
    fileprivate var isAssignment: Bool {
        if case .assigned = self { true } else { false }
    }
}
