import EventLog
import Metrics
import Synchronization

import class Foundation.FileManager
import struct Foundation.FileAttributeKey

/// The gauges of the partitions that are ours; those of a partition that has gone go with it, so that nobody keeps
/// showing the lag it had here.
final class PartitionGauges: Sendable {
    private struct Gauges {
        let lagRecords, lagSeconds, parkedAge, unfinishedAge, parked, restoring: Gauge
        var all: [Gauge] { [lagRecords, lagSeconds, parkedAge, unfinishedAge, parked, restoring] }
    }

    private struct State {
        var partitions: [TopicPartition: Gauges] = [:]
        var stateBytes: [Int32: Gauge] = [:]
        var restores: [TopicPartition: Gauge] = [:]
    }

    private let group: String
    private let factory: any MetricsFactory
    private let running, restoring, stuck: Gauge
    private let state = Mutex(State())

    init(group: String, factory: any MetricsFactory) {
        self.group = group
        self.factory = factory
        running = ProcessorMetric.partitions.gauge(group, "running", in: factory)
        restoring = ProcessorMetric.partitions.gauge(group, "restoring", in: factory)
        stuck = ProcessorMetric.partitions.gauge(group, "stuck", in: factory)
    }

    /// Drops the gauges of all other partitions.
    func keep(_ partitions: Set<TopicPartition>) {
        let numbers = Set(partitions.map(\.partition))
        state.withLock { state in
            for (gone, gauges) in state.partitions where !partitions.contains(gone) {
                for gauge in gauges.all { gauge.destroy() }
                state.partitions[gone] = nil
            }
            for (gone, gauge) in state.stateBytes where !numbers.contains(gone) {
                gauge.destroy()
                state.stateBytes[gone] = nil
            }
        }
    }

    /// - Parameter age: of the oldest record that is neither done nor parked.
    func set(_ partition: TopicPartition, _ standing: PartitionStanding, lag: Int64, age: Duration, parkedAge: Duration) {
        let gauges = gauges(of: partition)
        gauges.lagRecords.record(lag)
        gauges.lagSeconds.record(Double(age.milliseconds) / 1_000)
        gauges.parkedAge.record(Double(parkedAge.milliseconds) / 1_000)
        gauges.unfinishedAge.record(Double(max(age, parkedAge).milliseconds) / 1_000)
        gauges.parked.record(standing.parked)
        gauges.restoring.record(standing.restoring)
    }

    func setStates(_ status: ProcessorStatus) {
        let rebuilt = status.partitions.values.count { $0.restoring > 0 }
        let restoringCount = rebuilt + status.restores.count
        restoring.record(restoringCount)
        stuck.record(status.stuck.count)
        running.record(status.partitions.count - rebuilt - status.stuck.intersection(status.partitions.keys).count)
    }

    /// Restores under way; a gauge goes when its restore is over.
    func setRestores(_ restores: [TopicPartition: RestoreProgress]) {
        state.withLock { state in
            for (over, gauge) in state.restores where restores[over] == nil {
                gauge.destroy()
                state.restores[over] = nil
            }
            for (partition, progress) in restores {
                let gauge =
                    state.restores[partition]
                    ?? ProcessorMetric.restoring.gauge(
                        group, partition.topic.name, "\(partition.partition)", in: factory)
                state.restores[partition] = gauge
                gauge.record(progress.total - progress.restored)
            }
        }
    }

    /// A state is one database with its write-ahead log, `<partition>.db` and `<partition>.db-wal`.
    func setStateSizes(in folder: String, of partitions: Set<Int32>) {
        for partition in partitions {
            let bytes = ["", "-wal"].reduce(0) { sum, suffix in
                let attributes = try? FileManager.default.attributesOfItem(atPath: "\(folder)/\(partition).db\(suffix)")
                return sum + ((attributes?[.size] as? Int) ?? 0)
            }
            let gauge = state.withLock { state in
                if let known = state.stateBytes[partition] { return known }
                let gauge = ProcessorMetric.stateBytes.gauge(group, "\(partition)", in: factory)
                state.stateBytes[partition] = gauge
                return gauge
            }
            gauge.record(bytes)
        }
    }

    private func gauges(of partition: TopicPartition) -> Gauges {
        state.withLock { state in
            if let known = state.partitions[partition] { return known }
            func gauge(_ metric: ProcessorMetric) -> Gauge {
                metric.gauge(group, partition.topic.name, "\(partition.partition)", in: factory)
            }
            let gauges = Gauges(
                lagRecords: gauge(.lagRecords), lagSeconds: gauge(.lagSeconds), parkedAge: gauge(.parkedAge),
                unfinishedAge: gauge(.unfinishedAge), parked: gauge(.parked), restoring: gauge(.restoring))
            state.partitions[partition] = gauges
            return gauges
        }
    }
}
