import EventLog
import Logging
import ServiceLifecycle
import Synchronization
import Telemetry

/// A producer that always has an answer: a record that the log does not acknowledge soon becomes durable in a spill on
/// the local disk, and reaches the log later, in the order of its key.
///
/// - Answers carry no positions: a record may be durable and have none yet.
/// - `.queueFull` when the spill is full, too; `.storage` when the disk fails.
/// - A record that the log refuses for good (too large, …) is durable all the same: it lies in the spill's rejected
///   table, and an error line and a metric tell of it. A topic that refuses everything (unknown, not allowed) keeps its
///   records waiting in order.
/// - A record that names its partition is refused (`.unsupported`), a topic not named at opening, too (`.unknownTopic`).
/// - Killed at any time, nothing that was answered is lost. What was acknowledged just before may be sent again.
///
/// Needs `run()`: it watches the times, and sends what is spilled.
public final class SpillingProducer: DrainableProducer, Service {
    let base: any Producer
    let store: SpillStore
    let state: Mutex<SpillState>
    let configuration: SpillConfiguration
    let clock: ElapsedTime
    private let isFlushing = Mutex(false)
    let trimming = Mutex(TrimTrouble())

    /// Opens the spill in `directory`, making it when it is missing, in front of `base`.
    ///
    /// - Parameter topics: those whose records will be sent. Others that are still in the spill are drained as well.
    ///
    /// `.unavailable` while another process uses the directory; `.storage` when it cannot be used.
    public static func open(
        directory: String, topics: [Topic], before base: any Producer, configuration: SpillConfiguration = .init(),
        clock: some Clock<Duration> = ContinuousClock()
    ) async throws(LogError) -> SpillingProducer {
        let store = try await SpillStore(directory: directory, topics: topics, configuration)
        do throws(LogError) {
            let held = try await store.held()
            let state = SpillState(
                configuration: configuration, holding: held.ranges, records: held.records, bytes: held.bytes)
            return SpillingProducer(base, store, state, ElapsedTime(clock))
        } catch {
            await store.close()
            throw error
        }
    }

    private init(_ base: any Producer, _ store: SpillStore, _ state: SpillState, _ clock: ElapsedTime) {
        self.base = base
        self.store = store
        self.state = Mutex(state)
        configuration = state.configuration
        self.clock = clock
    }

    /// Whether a record sent now would become durable, as far as is known: for readiness probes.
    public var canAccept: Bool { state.withLock(\.canAccept) }

    /// Records in the spill that the log has yet to acknowledge.
    public var heldRecords: Int64 { state.withLock(\.totals.heldRecords) }

    public func send(_ records: [Record], completion: @escaping @Sendable (Result<[RecordPosition], LogError>) -> Void) {
        write(records) { failure in completion(failure.map { .failure($0) } ?? .success([])) }
    }

    public func write(_ records: [Record], completion: @escaping @Sendable (LogError?) -> Void) {
        let parts: [(lane: Int, records: [Record])]
        do throws(LogError) {
            parts = try divide(records)
        } catch {
            return completion(error)
        }
        if parts.isEmpty { return completion(nil) }
        let call = SpillCall(parts: parts.count, completion: completion)
        for (lane, records) in parts {
            // By index: a copy of a record costs four references.
            var bytes = 0
            for index in records.indices { bytes += records[index].byteCount }
            let (admission, hasAppends) = state.withLock { state in
                (state.admit(records, bytes: bytes, to: lane, for: call), !state.appends.isEmpty)
            }
            if hasAppends { flush() }
            switch admission {
            case .handOver(let token): handOver(records, token, lane)
            case .spilled: break
            case .refused(let error): call.settle(error)
            }
        }
    }

    /// The log's word can be heard by the caller's event loop when the log's producer allows it; else nothing rings. What
    /// the spill answers comes on the spill's own thread.
    public func setBell(_ ring: (@Sendable () -> Void)?) { (base as? any DrainableProducer)?.setBell(ring) }
    public func drain() { (base as? any DrainableProducer)?.drain() }

    /// The call's records lane by lane; one lane is the rule.
    private func divide(_ records: [Record]) throws(LogError) -> [(lane: Int, records: [Record])] {
        if records.count == 1 { return [(try lane(of: records[0]), records)] }
        var parts: [(lane: Int, records: [Record])] = []
        var places: [Int: Int] = [:]
        for record in records {
            let lane = try lane(of: record)
            if let place = places[lane] {
                parts[place].records.append(record)
            } else {
                places[lane] = parts.count
                parts.append((lane, [record]))
            }
        }
        return parts
    }

    private func lane(of record: Record) throws(LogError) -> Int {
        guard record.partition == nil else { throw LogError(.unsupported, "a spilled record names no partition") }
        guard let lane = store.lane(of: record) else { throw LogError(.unknownTopic, record.topic.name) }
        return lane
    }

    func handOver(_ records: [Record], _ token: UInt64, _ lane: Int) {
        base.write(records) { [self] failure in event { $0.reported(token, in: lane, failure) } }
    }

    /// Tells the state of something, and does what follows from it.
    func event(_ change: (inout SpillState) -> Void) {
        let (effects, hasAppends) = state.withLock { state in
            change(&state)
            return (state.takeEffects(), !state.appends.isEmpty)
        }
        if hasAppends { flush() }
        guard let effects else { return }
        for settlement in effects.settlements { settlement.call.settle(settlement.failure) }
        for rejection in effects.rejections { reject(rejection) }
    }

    /// Gives the store what waits for it, in order: one thread at a time, and whoever comes meanwhile leaves his to it.
    private func flush() {
        while true {
            let isMine = isFlushing.withLock { isFlushing in
                defer { isFlushing = true }
                return !isFlushing
            }
            guard isMine else { return }
            while case let appends = state.withLock({ $0.takeAppends() }), !appends.isEmpty {
                for append in appends {
                    store.append(append.records, to: append.lane) { [self] result in
                        event { $0.appended(append, result) }
                    }
                }
            }
            isFlushing.withLock { $0 = false }
            // What came between the last look and giving up the turn.
            if state.withLock(\.appends.isEmpty) { return }
        }
    }

    private func reject(_ rejection: Rejection) {
        configuration.logger.error(
            "The log refuses a record for good; it is kept in the spill's rejected table",
            metadata: ["spill.lane": "\(store.lanes[rejection.lane])", "log.error": "\(rejection.reason.code.name)"])
        SpillMetric.rejected.counter(rejection.reason.code.name, in: configuration.metrics).increment()
        Task {
            var failure: LogError?
            do throws(LogError) {
                try await store.reject(rejection.record, rejection.reason)
            } catch {
                failure = error
            }
            event { [failure] in $0.rejected(rejection, failure) }
        }
    }
}
