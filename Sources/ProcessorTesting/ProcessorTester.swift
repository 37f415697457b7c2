import EventLog
import Logging
import Processing

/// Runs a processor with no log at all: feed records, see outputs, move the clock.
///
/// Records are handled one after the other, as one batch per `feed`; a failed record is not tried again but thrown.
public final class ProcessorTester: Sendable {
    private let processor: any Processor
    private let state: MemoryState

    public init(_ processor: any Processor) {
        self.processor = processor
        state = MemoryState()
    }

    /// Handles `records` at `now` and returns what the processor answers, in order.
    public func feed(_ records: [StoredRecord], at now: Timestamp = .now) async throws -> [Record] {
        var outputs: [Record] = []
        for record in records {
            outputs += try await processor.handle(record, context(for: record, at: now))
        }
        if let last = records.last {
            outputs += try await processor.endBatch(records, context(for: last, at: now))
        }
        return outputs
    }

    /// What a handler would be given for this record.
    public func context(for record: StoredRecord, attempt: Int = 1, at now: Timestamp = .now) -> HandlerContext {
        state.now = now
        return HandlerContext(
            attempt: attempt, partition: record.source.partition, firstFailedAt: attempt > 1 ? now : nil, now: now,
            state: state, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
}

extension StoredRecord {
    /// A record as if the log had stored it.
    public init(_ record: Record, partition: Int32 = 0, offset: Offset = 0, at time: Timestamp = .now) {
        self.init(
            source: TopicPartition(record.topic, record.partition ?? partition), offset: offset, key: record.key,
            value: record.value, headers: record.headers, timestamp: record.timestamp ?? time)
    }
}
