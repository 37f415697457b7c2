import EventLog
import Foundation
import Processing
import Synchronization
import Telemetry

/// One processor's run over a backlog, from the first record it gets to the commit that leaves none before it: each is
/// done, or parked. As in production, with the metrics of every processor.
struct ProcessorRun {
    let log: any Log
    let backlog: Backlog

    /// What a run took.
    struct Spent {
        let records: Int
        let time: Duration
        /// Microseconds of this process, all threads.
        let cpu: Double

        /// Records per second.
        var rate: Double { Double(records) / (time / .seconds(1)) }
        /// Microseconds a record.
        var cpuPerRecord: Double { cpu / Double(records) }
    }

    /// - Parameter onProgress: hears after each commit how many records lie behind.
    func spend(
        on processor: some Processor, over count: Int, onProgress: @escaping @Sendable (Int64) -> Void = { _ in }
    ) async throws -> Spent {
        let configuration = ProcessorRuntimeConfiguration(start: .earliest, sessionTimeout: .seconds(10))
        try await log.admin.createTopics([
            TopicSpec(configuration.deadLetters(of: processor), partitions: 1, retention: .delete(days: 1))
        ])
        let registry = PrometheusRegistry()
        let meter = Meter(
            counting: ProcessorMetrics(group: configuration.group(of: processor), inputs: processor.inputs, factory: registry),
            until: Int64(count), onProgress: onProgress)
        let runtime = ProcessorRuntime(
            processor: processor, log: log, configuration: configuration, observer: meter, logger: Backlog.silentLogger())
        return try await withThrowingTaskGroup(of: Spent?.self) { group in
            group.addTask {
                try await ProcessorService(runtime).run()
                return nil
            }
            group.addTask { await meter.taken() }
            defer { group.cancelAll() }
            guard let first = try await group.next(), let spent = first else {
                throw BenchError("\(processor.name) ended before its backlog did")
            }
            return spent
        }
    }
}

/// Passes everything on to the processor's metrics, and takes the time.
private final class Meter: ProcessorObserver {
    private struct Book {
        var began: (at: ContinuousClock.Instant, cpu: Double)?
        var positions: [TopicPartition: Offset] = [:]
        var spent: ProcessorRun.Spent?
        var waiter: CheckedContinuation<ProcessorRun.Spent, Never>?
    }

    private let metrics: ProcessorMetrics
    private let count: Int64
    private let onProgress: @Sendable (Int64) -> Void
    private let book = Mutex(Book())
    private let hasBegun = Atomic(false)

    init(counting metrics: ProcessorMetrics, until count: Int64, onProgress: @escaping @Sendable (Int64) -> Void) {
        self.metrics = metrics
        self.count = count
        self.onProgress = onProgress
    }

    func taken() async -> ProcessorRun.Spent {
        await withCheckedContinuation { continuation in
            let spent = book.withLock { book in
                if book.spent == nil { book.waiter = continuation }
                return book.spent
            }
            if let spent { continuation.resume(returning: spent) }
        }
    }

    func received(_ records: Int, from partition: TopicPartition) {
        if !hasBegun.exchange(true, ordering: .relaxed) { book.withLock { $0.began = (.now, CPUTime.microseconds) } }
        metrics.received(records, from: partition)
    }

    func progressed(_ partition: TopicPartition, to offset: Offset, parked: Int, oldest: Timestamp?) {
        let (behind, waiter, spent) = book.withLock { book in
            book.positions[partition] = offset
            let behind = book.positions.values.reduce(0, +)
            guard behind >= count, book.spent == nil, let began = book.began else {
                return (behind, nil as CheckedContinuation<ProcessorRun.Spent, Never>?, nil as ProcessorRun.Spent?)
            }
            let spent = ProcessorRun.Spent(
                records: Int(count), time: ContinuousClock.now - began.at, cpu: CPUTime.microseconds - began.cpu)
            book.spent = spent
            defer { book.waiter = nil }
            return (behind, book.waiter, spent)
        }
        onProgress(behind)
        if let spent { waiter?.resume(returning: spent) }
    }

    func handled(_ partition: TopicPartition, _ outcome: HandlingOutcome, took: [Duration]) {
        metrics.handled(partition, outcome, took: took)
    }
    func produced(_ records: Int) { metrics.produced(records) }
    func stuck(_ partition: TopicPartition) { metrics.stuck(partition) }
    func released(_ partition: TopicPartition) { metrics.released(partition) }
}
