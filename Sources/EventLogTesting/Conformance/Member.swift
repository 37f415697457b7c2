import EventLog
import Synchronization

/// A group member with habits: what it does at an assignment and at a revocation. It is stepped event by event, or
/// pumped in the background, and remembers what happened to it.
final class Member: Sendable {
    struct Habits: Sendable {
        /// Where to begin; nil leaves the partitions unstarted.
        var starts: (@Sendable ([TopicPartition: Commit?]) -> [TopicPartition: Offset])? = { assigned in
            assigned.mapValues { $0?.offset ?? 0 }
        }
        /// Commits after each batch.
        var commits = false
        var revoked: @Sendable (any Consumer, [TopicPartition]) async throws -> Void = { consumer, partitions in
            try await consumer.release(partitions)
        }
    }

    struct State: Sendable {
        /// Partitions owned now, each with the commit it came with.
        var owned: [TopicPartition: Commit?] = [:]
        /// In order of arrival.
        var records: [StoredRecord] = []
        var outOfRange: [(partition: TopicPartition, requested: Offset, held: Watermarks)] = []
        var revoked: Set<TopicPartition> = []
        var lost: Set<TopicPartition> = []
        var isLeaving = false
        var ended = false
        var failure: (any Error)?

        func offsets(_ partition: TopicPartition) -> [Offset] {
            records.filter { $0.source == partition }.map(\.offset)
        }
    }

    let consumer: any Consumer
    private let habits: Habits
    private let contents = Mutex(State())
    /// The call of `next()` that is under way, and its answer.
    private let call = Mutex<(isMade: Bool, answer: Result<ConsumerEvent?, any Error>?)>((false, nil))
    private let pumping = Mutex<Task<Void, Never>?>(nil)

    init(_ consumer: any Consumer, _ habits: Habits) {
        self.consumer = consumer
        self.habits = habits
    }

    var state: State { contents.withLock { $0 } }

    /// Takes one event and acts on it by habit. Throws when none comes in time.
    @discardableResult
    func step(
        within limit: Duration = .seconds(60), _ file: String = #fileID, _ line: UInt = #line
    ) async throws -> ConsumerEvent? {
        guard let event = try await event(within: limit) else {
            throw ConformanceFailure("no event came within \(limit)", file, line)
        }
        try await act(on: event)
        return event
    }

    /// Steps until `condition` holds.
    func step(
        until what: String, _ file: String = #fileID, _ line: UInt = #line, _ condition: (State) -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while !condition(state) {
            let rest = deadline - ContinuousClock.now
            guard rest > .zero, let event = try await event(within: rest) else {
                throw ConformanceFailure("did not happen: \(what)", file, line)
            }
            try await act(on: event)
            try require(!state.ended, "the member ended before: \(what)", file, line)
        }
    }

    /// The next event if one comes within `limit`. Used where silence is expected: silence proves little, an event
    /// proves the fault.
    func event(within limit: Duration) async throws -> ConsumerEvent?? {
        let isMade = call.withLock { call in
            defer { call.isMade = true }
            return call.isMade
        }
        if !isMade {
            Task {
                let answer: Result<ConsumerEvent?, any Error>
                do { answer = .success(try await consumer.next()) } catch { answer = .failure(error) }
                call.withLock { $0.answer = answer }
            }
        }
        let deadline = ContinuousClock.now + limit
        while true {
            let answer = call.withLock { call in
                if call.answer != nil { call.isMade = false }
                return call.answer.take()
            }
            if let answer { return .some(try answer.get()) }
            if ContinuousClock.now >= deadline { return .none }
            try await Task.sleep(for: .milliseconds(2))
        }
    }

    /// Steps in the background until `close`.
    func pump() {
        let task = Task {
            do {
                while !state.ended { try await step(within: .seconds(3_600)) }
            } catch {
                contents.withLock { $0.failure = error }
            }
        }
        pumping.withLock { $0 = task }
    }

    /// Waits for what the pump brings.
    func wait(
        for what: String, within limit: Duration = .seconds(60), _ file: String = #fileID, _ line: UInt = #line,
        _ condition: (State) -> Bool
    ) async throws {
        try await eventually(what, within: limit, file, line) {
            if let failure = state.failure { throw failure }
            return condition(state)
        }
    }

    /// Leaves the group.
    func close() async {
        contents.withLock { $0.isLeaving = true }
        await consumer.close()
        await pumping.withLock { $0 }?.value
    }

    private func act(on event: ConsumerEvent?) async throws {
        let isForeign = contents.withLock { contents in
            Self.note(event, in: &contents)
            guard case .records(let partition, _) = event else { return false }
            return contents.owned[partition] == nil
        }
        try require(!isForeign, "records of a partition that is somebody else's")
        switch event {
        case .assigned(let commits):
            if let starts = habits.starts { try await consumer.start(at: starts(commits)) }
        case .records(let partition, let records):
            try check(records, of: partition)
            if habits.commits, let last = records.last { try await finish(partition, through: last.offset) }
        case .revoked(let partitions):
            try await habits.revoked(consumer, partitions)
        case .lost, .outOfRange, nil: return
        }
    }

    private func finish(_ partition: TopicPartition, through offset: Offset) async throws {
        do {
            try await consumer.commit([partition: Commit(offset: offset + 1)])
        } catch {
            // Refused when the partition has just gone, or the member is leaving: the next owner reads them again.
            let isLeaving = contents.withLock(\.isLeaving)
            if error.code == .fenced || error.code == .closed && isLeaving { return }
            throw error
        }
    }

    private static func note(_ event: ConsumerEvent?, in state: inout State) {
        switch event {
        case .assigned(let commits): state.owned.merge(commits) { $1 }
        case .records(_, let records): state.records += records
        case .revoked(let partitions):
            state.revoked.formUnion(partitions)
            for partition in partitions { state.owned.removeValue(forKey: partition) }
        case .lost(let partitions):
            state.lost.formUnion(partitions)
            for partition in partitions { state.owned.removeValue(forKey: partition) }
        case .outOfRange(let partition, let requested, let held): state.outOfRange.append((partition, requested, held))
        case nil: state.ended = true
        }
    }

    /// What every batch promises.
    private func check(_ records: [StoredRecord], of partition: TopicPartition) throws {
        try require(!records.isEmpty, "a batch of \(partition) is empty")
        try require(records.allSatisfy { $0.source == partition }, "a batch of \(partition) has records of others")
        let offsets = records.map(\.offset)
        try require(zip(offsets, offsets.dropFirst()).allSatisfy(<), "offsets do not ascend: \(offsets)")
    }
}
