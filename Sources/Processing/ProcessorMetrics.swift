import EventLog
import Metrics

/// Counts what a runtime tells, as `ProcessorMetric`. What it does not tell but has, such as lag, is `ProcessorWatch`'s.
public final class ProcessorMetrics: ProcessorObserver {
    private struct ByTopic {
        let consumed: Counter
        let done: Counter
        let failed: Counter
        let dead: Counter
        let unknown: Counter

        init(_ topic: String, of group: String, in factory: any MetricsFactory) {
            func handled(_ outcome: HandlingOutcome) -> Counter {
                ProcessorMetric.handled.counter(group, topic, outcome.rawValue, in: factory)
            }
            consumed = ProcessorMetric.consumed.counter(group, topic, in: factory)
            (done, failed, dead) = (handled(.done), handled(.failed), handled(.dead))
            unknown = ProcessorMetric.effectsUnknown.counter(group, topic, in: factory)
        }
    }

    private let topics: [Topic: ByTopic]
    /// Of topics that are not among the inputs.
    private let otherTopics: ByTopic
    private let produced: Counter
    private let restoredRecords: Counter
    private let evictedEntries: Counter
    private let outages: [String: Counter]
    private let doneDuration: Timer
    private let failedDuration: Timer

    public init(group: String, inputs: [Topic], factory: any MetricsFactory = MetricsSystem.factory) {
        topics = Dictionary(
            inputs.map { ($0, ByTopic($0.name, of: group, in: factory)) }, uniquingKeysWith: { first, _ in first })
        otherTopics = ByTopic("other", of: group, in: factory)
        restoredRecords = ProcessorMetric.restored.counter(group, in: factory)
        evictedEntries = ProcessorMetric.evicted.counter(group, in: factory)
        produced = ProcessorMetric.produced.counter(group, in: factory)
        outages = Dictionary(
            uniqueKeysWithValues: ["processor", "named"].map {
                ($0, ProcessorMetric.outages.counter(group, $0, in: factory))
            })
        doneDuration = ProcessorMetric.handlingDuration.timer(group, HandlingOutcome.done.rawValue, in: factory)
        failedDuration = ProcessorMetric.handlingDuration.timer(group, HandlingOutcome.failed.rawValue, in: factory)
    }

    private func counters(of partition: TopicPartition) -> ByTopic { topics[partition.topic] ?? otherTopics }

    public func received(_ records: Int, from partition: TopicPartition) {
        counters(of: partition).consumed.increment(by: records)
    }

    public func handled(_ partition: TopicPartition, _ outcome: HandlingOutcome, took: [Duration]) {
        let counters = counters(of: partition)
        switch outcome {
        case .done:
            counters.done.increment(by: took.count)
            for time in took { doneDuration.recordNanoseconds(time.nanoseconds) }
        case .failed:
            counters.failed.increment(by: took.count)
            for time in took { failedDuration.recordNanoseconds(time.nanoseconds) }
        case .dead: counters.dead.increment(by: took.count)
        }
    }

    public func effectUnknown(_ partition: TopicPartition) { counters(of: partition).unknown.increment() }

    public func outage(_ scope: String, isOpen: Bool) {
        if isOpen { outages[scope]?.increment() }
    }

    public func restored(_ records: Int) { restoredRecords.increment(by: records) }
    public func evicted(_ entries: Int) { evictedEntries.increment(by: entries) }

    public func produced(_ records: Int) { produced.increment(by: records) }

    // Positions are asked for when they are wanted: between two commits they would be old.
    public func progressed(_ partition: TopicPartition, to offset: Offset, parked: Int, oldest: Timestamp?) {}
    public func stuck(_ partition: TopicPartition) {}
    public func released(_ partition: TopicPartition) {}
}

extension Duration {
    fileprivate var nanoseconds: Int64 { Int64(clamping: attoseconds / 1_000_000_000) }
}
