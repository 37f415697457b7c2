import EventLog
import Logging

/// Reads the broadcast inputs of a processor: first to where they end, then whatever comes.
///
/// Nothing is committed: each start begins anew, so the processor keeps what it learns in memory. Partitions are read
/// side by side, each in order. A record that fails for a passing reason holds its partition up until it succeeds; one
/// that fails for good is logged and left out.
struct BroadcastFollower<C: Clock>: Sendable where C.Duration == Duration {
    private static var maxRecords: Int { 500 }
    /// How long one read waits for something new.
    private static var wait: Duration { .seconds(1) }

    let context: RuntimeContext<C>
    let log: any Log

    /// Handles what the inputs hold now. Answers where each partition goes on.
    func catchUp(_ reader: any Reader) async throws -> [TopicPartition: Offset] {
        var ends: [TopicPartition: (start: Offset, high: Offset)] = [:]
        for input in context.processor.broadcastInputs {
            try await context.persist(at: "broadcast") {
                let partitions = try await log.admin.partitions(of: input.topic)
                let marks = try await log.admin.watermarks(of: partitions)
                let starts = try await starts(of: partitions, input)
                for (partition, held) in marks {
                    ends[partition] = (max(starts[partition] ?? held.low, held.low), held.high)
                }
            }
        }
        return try await withThrowingTaskGroup(of: (TopicPartition, Offset).self) { group in
            for (partition, end) in ends {
                group.addTask {
                    var at = end.start
                    while at < end.high {
                        let next = try await step(partition, at, reader, waitingUpTo: .zero)
                        // Nothing up to the end: what is missing was compacted away.
                        if next == at { break }
                        at = next
                    }
                    return (partition, max(at, end.high))
                }
            }
            return try await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
    }

    /// Handles what comes, until the task is cancelled.
    func follow(_ positions: [TopicPartition: Offset], _ reader: any Reader) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            for (partition, position) in positions {
                group.addTask {
                    var at = position
                    while true {
                        try Task.checkCancellation()
                        at = try await step(partition, at, reader, waitingUpTo: Self.wait)
                    }
                }
            }
        }
    }

    private func starts(
        of partitions: [TopicPartition], _ input: BroadcastInput
    ) async throws -> [TopicPartition: Offset] {
        guard let maxAge = input.maxAge else { return [:] }
        return try await log.admin.offsets(at: context.wallTime() - maxAge, of: partitions)
    }

    /// Handles the next records. Answers where to go on.
    private func step(
        _ partition: TopicPartition, _ at: Offset, _ reader: any Reader, waitingUpTo wait: Duration
    ) async throws -> Offset {
        let found: [StoredRecord] = try await context.persist(at: "broadcast") {
            do throws(LogError) {
                return try await reader.read(partition, from: at, maxRecords: Self.maxRecords, waitingUpTo: wait)
            } catch where error.code == .offsetOutOfRange {
                return []
            }
        }
        if found.isEmpty { return try await afterGap(partition, at) }
        for record in found { try await handle(record) }
        return (found.last?.offset ?? at) + 1
    }

    /// Retention may have passed us, or the topic was made anew.
    private func afterGap(_ partition: TopicPartition, _ at: Offset) async throws -> Offset {
        let marks = try await context.persist(at: "broadcast") { try await log.admin.watermarks(of: [partition]) }
        guard let held = marks[partition], !(held.low...held.high).contains(at) else { return at }
        var metadata = LogKey.of(partition)
        metadata[LogKey.offset] = "\(held.low)"
        context.logger.error("broadcast input no longer holds what comes next", metadata: metadata)
        return held.low
    }

    private func handle(_ record: StoredRecord) async throws {
        do {
            try await context.persist(at: "broadcast", if: { HandlerFailure($0).isTransient && !($0 is CancellationError) }) {
                try await context.processor.receiveBroadcast(record)
            }
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            let failure = HandlerFailure(error)
            context.logger.error("broadcast record left out", metadata: LogKey.of(record, failure, attempt: 1))
        }
    }
}
