import EventLog
import Synchronization

/// What a consumer's thread has fetched and `next()` has not taken: the bounded place between the two.
///
/// Membership events overtake records. An out-of-range event stays behind the records fetched before it.
final class ConsumerBuffer: Sendable {
    typealias Outcome = Result<ConsumerEvent?, LogError>

    private struct State {
        var events: [ConsumerEvent] = []
        /// Partitions with something to take, each at most once; the first is next.
        var order: [TopicPartition] = []
        /// Chunks of at most `maxBatchRecords`, never empty.
        var chunks: [TopicPartition: [[StoredRecord]]] = [:]
        var outOfRange: [TopicPartition: ConsumerEvent] = [:]
        var bytes = 0
        var end: Outcome?
        var waiter: CheckedContinuation<Outcome, Never>?
    }

    private let maxBatchRecords: Int
    private let maxBytes: Int
    /// Called, off the lock, when the buffer falls to half of its bound.
    private let onRoom: @Sendable () -> Void
    private let state = Mutex(State())

    init(maxBytes: Int, maxBatchRecords: Int, onRoom: @escaping @Sendable () -> Void) {
        self.maxBytes = maxBytes
        self.maxBatchRecords = maxBatchRecords
        self.onRoom = onRoom
    }

    var isFull: Bool { state.withLock { $0.bytes >= maxBytes } }
    var hasRoom: Bool { state.withLock { $0.bytes <= maxBytes / 2 } }

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
            for chunk in chunks { Self.append(chunk, to: &state, chunkSize: maxBatchRecords) }
            return []
        }
    }

    func postOutOfRange(_ partition: TopicPartition, _ event: ConsumerEvent) {
        update { state in
            if state.chunks[partition] == nil, state.outOfRange[partition] == nil { state.order.append(partition) }
            state.outOfRange[partition] = event
            return []
        }
    }

    /// Drops what is held of these partitions.
    func discard(_ partitions: some Sequence<TopicPartition>) {
        update { state in
            for partition in partitions {
                _ = Self.removeRecords(of: partition, from: &state)
                state.outOfRange[partition] = nil
                state.order.removeAll { $0 == partition }
            }
            return []
        }
    }

    /// Drops the records held of a partition that is to wait, so that they do not take the others' room. Answers the
    /// first offset dropped, from where to fetch again. Without records an out-of-range event is kept.
    func discardRecords(of partition: TopicPartition) -> Offset? {
        var first: Offset?
        update { state in
            first = Self.removeRecords(of: partition, from: &state)
            if first != nil {
                state.outOfRange[partition] = nil
                state.order.removeAll { $0 == partition }
            }
            return []
        }
        return first
    }

    private static func removeRecords(of partition: TopicPartition, from state: inout State) -> Offset? {
        guard let chunks = state.chunks.removeValue(forKey: partition) else { return nil }
        state.bytes -= chunks.reduce(0) { $0 + cost($1) }
        return chunks.first?.first?.offset
    }

    /// Bytes of the records, and about what a record itself takes: small ones count too.
    private static func cost(_ records: some Sequence<StoredRecord>) -> Int {
        records.reduce(0) { $0 + $1.byteCount + 200 }
    }

    /// What `next()` answers once the events before it are taken: nil for a closed consumer, or a fatal error.
    func finish(_ outcome: Outcome) {
        update { state in
            if state.end == nil { state.end = outcome }
            state.events = []
            state.order = []
            return []
        }
    }

    /// Changes the state, then serves the waiter if there is something for it. Continuations run off the lock.
    private func update(_ change: (inout State) -> [() -> Void]) {
        var after: [() -> Void] = []
        var madeRoom = false
        state.withLock { state in
            let before = state.bytes
            after = change(&state)
            if let waiter = state.waiter, let outcome = take(from: &state) {
                state.waiter = nil
                after.append { waiter.resume(returning: outcome) }
            }
            madeRoom = before > maxBytes / 2 && state.bytes <= maxBytes / 2
        }
        for action in after { action() }
        if madeRoom { onRoom() }
    }

    private func take(from state: inout State) -> Outcome? {
        if !state.events.isEmpty { return .success(state.events.removeFirst()) }
        if let end = state.end { return end }
        guard let partition = state.order.first else { return nil }
        state.order.removeFirst()
        guard let chunk = state.chunks[partition]?.removeFirst() else {
            return .success(state.outOfRange.removeValue(forKey: partition))
        }
        if state.chunks[partition]?.isEmpty == true { state.chunks[partition] = nil }
        if state.chunks[partition] != nil || state.outOfRange[partition] != nil { state.order.append(partition) }
        state.bytes -= Self.cost(chunk)
        return .success(.records(partition, chunk))
    }

    private static func append(_ chunk: Intake.Chunk, to state: inout State, chunkSize: Int) {
        let partition = chunk.source
        if state.chunks[partition] == nil, state.outOfRange[partition] == nil { state.order.append(partition) }
        state.chunks[partition, default: []].append(chunk.records, chunkSize: chunkSize)
        state.bytes += cost(chunk.records)
    }
}

extension ConsumerEvent {
    fileprivate var isAssignment: Bool {
        if case .assigned = self { true } else { false }
    }
}

extension [[StoredRecord]] {
    /// Fills the last chunk up, then makes another.
    fileprivate mutating func append(_ records: [StoredRecord], chunkSize: Int) {
        guard let last = indices.last, self[last].count + records.count <= chunkSize else { return append(records) }
        self[last].append(contentsOf: records)
    }
}
