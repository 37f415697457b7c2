import EventLog
import Logging
import Processing
import Synchronization

/// Runs a processor with no log at all: feed records, see outputs and dead letters, look into the state, move the clock.
///
///     let tester = ProcessorTester(SentimentProcessor(topics: Topics()))
///     let outputs = try await tester.feed([.message("Thanks, great service!")])
///
/// Records are handled one after the other. What a handler that throws has written to the state is undone, as the
/// runtime does it. Parking, order and progress are the runtime's and have tests of their own.
public final class ProcessorTester: Sendable {
    /// A record that was given up, and why.
    public struct DeadLetter: Sendable {
        public let record: StoredRecord
        public let failure: HandlerFailure
        public let attempts: Int
    }

    /// What the handlers remember.
    public let state = MemoryState()
    private let processor: any Processor
    private let letters = Mutex<[DeadLetter]>([])

    /// The clock stands at `start` until the test moves it.
    public init(_ processor: any Processor, at start: Timestamp = .now) {
        self.processor = processor
        state.now = start
    }

    /// What handlers are told as `now`.
    public var now: Timestamp { state.now }
    public func advance(by duration: Duration) { state.now = state.now + duration }
    /// The partition moves to another machine: only what the processor declares to survive is still there.
    public func loseDisk() { state.entries = state.entries.filter { processor.state.survivors.contains($0.key) } }
    /// What `run` gave up, oldest first.
    public var deadLetters: [DeadLetter] { letters.withLock { $0 } }

    /// Handles `records` as one batch and returns what the processor answers, in order. Throws the first failure, a
    /// `HandlerFailure` as the runtime sees it: nothing is tried again.
    ///
    /// - Parameter moment: where to move the clock before; nil leaves it.
    public func feed(_ records: [StoredRecord], at moment: Timestamp? = nil) async throws -> [Record] {
        if let moment { state.now = moment }
        var outputs: [Record] = []
        for record in records {
            outputs += try await undoingFailure {
                try await processor.handle(record, context(for: record))
            }
        }
        if let last = records.last {
            outputs += try await undoingFailure { try await processor.endBatch(records, context(for: last)) }
        }
        return outputs
    }

    /// Handles `records` to their end, each as a batch of its own: one that fails for a passing reason is tried again,
    /// by the processor's `retry`, the clock moving by the longest delay that policy allows; one that is given up
    /// becomes a dead letter. Returns what the processor answers, in order.
    public func run(_ records: [StoredRecord]) async -> [Record] {
        var outputs: [Record] = []
        for record in records { outputs += await finish(record) }
        return outputs
    }

    private func finish(_ record: StoredRecord) async -> [Record] {
        var attempt = 1
        var firstFailedAt: Timestamp?
        while true {
            let context = context(for: record, attempt: attempt, firstFailedAt: firstFailedAt)
            do {
                return try await undoingFailure {
                    try await processor.handle(record, context) + processor.endBatch([record], context)
                }
            } catch {
                let failure = HandlerFailure(error)
                let first = firstFailedAt ?? now
                let delay = failure.retryAfter ?? processor.retry.bound(afterAttempts: attempt)
                if processor.retry.givesUp(
                    failure, afterAttempts: attempt, failingSince: first, now: now, delay: delay)
                {
                    letters.withLock { $0.append(DeadLetter(record: record, failure: failure, attempts: attempt)) }
                    return await processor.deadLettered(record, failure, context)
                }
                advance(by: delay)
                firstFailedAt = first
                attempt += 1
            }
        }
    }

    /// What a handler would be given for this record.
    ///
    /// - Parameter effect: `.unknown` for the record of an owner that died after it began to act.
    /// - Parameter moment: where to move the clock before; nil leaves it.
    public func context(
        for record: StoredRecord, attempt: Int = 1, firstFailedAt: Timestamp? = nil, at moment: Timestamp? = nil,
        effect: EffectOutcome = .none
    ) -> HandlerContext {
        if let moment { state.now = moment }
        return HandlerContext(
            attempt: attempt, partition: record.source.partition,
            firstFailedAt: attempt > 1 ? firstFailedAt ?? now : nil, now: now, state: state,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, effect: effect)
    }

    private func undoingFailure<T>(_ body: () async throws -> T) async throws -> T {
        let before = state.entries
        do {
            return try await body()
        } catch {
            state.entries = before
            throw HandlerFailure(error)
        }
    }
}
