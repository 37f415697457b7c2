import EventLog
import Logging
import Metrics
import ServiceLifecycle
import Synchronization
import Telemetry

/// Watches a runtime from outside, off the hot path: lag in records and seconds, parked records, restore and state.
///
/// Where the lanes stand is asked of them whenever the metrics are read, so an age grows by itself while a handler
/// hangs. Where the log ends is asked every `interval`; for a partition with records that nobody has taken yet (it is
/// paused, or the consumer is stuck) the first of them is read to know its age. So the lag is right within `interval`
/// also when the processor reads nothing at all.
public final class ProcessorWatch<C: Clock>: Service where C.Duration == Duration {
    /// What the log said last about a partition.
    private struct Tail {
        var high: Offset
        /// An offset that nobody had taken, and the time stamp of the first record from there on.
        var head: (from: Offset, time: Timestamp)?
    }

    private let group: String
    private let source: any ProcessorStatusSource
    private let log: any Log
    private let interval: Duration
    private let clock: C
    private let wallTime: @Sendable () -> Timestamp
    private let gauges: PartitionGauges
    private let stateFolder: String?
    private let logger: Logger
    private let tails = Mutex<[TopicPartition: Tail]>([:])

    /// - Parameter stateDirectory: nil for a processor without state.
    public init(
        group: String, source: any ProcessorStatusSource, log: any Log, stateDirectory: String?,
        interval: Duration = .seconds(10), clock: C, wallTime: @escaping @Sendable () -> Timestamp,
        factory: any MetricsFactory = MetricsSystem.factory, logger: Logger
    ) {
        self.group = group
        self.source = source
        self.log = log
        self.interval = interval
        self.clock = clock
        self.wallTime = wallTime
        self.logger = logger
        gauges = PartitionGauges(group: group, factory: factory)
        stateFolder = stateDirectory.map { "\($0)/\(group)" }
        factory.whenRead { [weak self] in self?.update() }
    }

    public func run() async throws {
        await cancelWhenGracefulShutdown {
            while !Task.isCancelled {
                await self.poll()
                try? await self.clock.sleep(for: self.interval)
            }
        }
    }

    /// Whether the processor works on what is its own, or stands by with nothing.
    public var readiness: Readiness {
        let status = source.status
        if !status.stuck.isEmpty { return .notReady("stuck") }
        if status.isUndurable { return .notReady("cannot store") }
        if !status.isMember { return .notReady("joining") }
        if status.isOpening || status.partitions.values.contains(where: { $0.restoring > 0 }) {
            return .notReady("restoring")
        }
        return .ready
    }

    /// Asks the log where the partitions end. What fails is asked again next time.
    func poll() async {
        let standings = source.status.partitions
        do {
            let marks = try await log.admin.watermarks(of: Array(standings.keys))
            // Known from here on, whatever becomes of the rest; a head stays true while nobody takes it.
            var tails = self.tails.withLock { tails in
                tails = Dictionary(
                    uniqueKeysWithValues: marks.map { ($0.key, Tail(high: $0.value.high, head: tails[$0.key]?.head)) })
                return tails
            }
            let untaken = standings.filter { partition, standing in
                standing.oldest == nil && tails[partition].map { $0.high > standing.next } ?? false
            }
            if untaken.isEmpty { return }
            let reader = try await log.reader()
            for (partition, standing) in untaken {
                // Retention may have taken what stands first.
                let first = max(standing.next, marks[partition]?.low ?? 0)
                let found = try? await reader.read(partition, from: first, maxRecords: 1, waitingUpTo: .seconds(1))
                if let time = found?.first?.timestamp { tails[partition]?.head = (standing.next, time) }
            }
            await reader.close()
            self.tails.withLock { [tails] in $0 = tails }
        } catch {
            logger.debug("the end of the log is not known", metadata: [LogKey.error: "\(error)"])
        }
    }

    /// Brings the gauges up to date.
    private func update() {
        let status = source.status
        let tails = tails.withLock { $0 }
        let now = wallTime()
        gauges.keep(Set(status.partitions.keys))
        for (partition, standing) in status.partitions {
            let tail = tails[partition]
            let high = max(tail?.high ?? standing.next, standing.next)
            var oldest = standing.oldest
            // What was untaken at the last poll may have been taken since; then the lane knows better.
            if oldest == nil, let head = tail?.head, head.from == standing.next { oldest = head.time }
            func age(_ time: Timestamp?) -> Duration { time.map { max(.zero, now - $0) } ?? .zero }
            gauges.set(
                partition, standing, lag: high - standing.position, age: age(oldest), parkedAge: age(standing.oldestParked))
        }
        gauges.setStates(status)
        gauges.setRestores(status.restores)
        if let stateFolder { gauges.setStateSizes(in: stateFolder, of: Set(status.partitions.keys.map(\.partition))) }
    }
}
