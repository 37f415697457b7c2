import EventLog
import EventLogTesting
import Synchronization

/// A log that asks a test before it does things.
final class HookedLog: Log {
    struct Hooks: Sendable {
        var beforeCommit: @Sendable ([TopicPartition: Commit]) throws(LogError) -> Void = { _ in }
        /// With this hook records and their seal are produced one after the other, as on Kafka.
        var beforeSeal: (@Sendable ([Record]) throws(LogError) -> Void)?
        var beforeRead: @Sendable (TopicPartition) async throws(LogError) -> Void = { _ in }
    }

    private let base: any Log
    private let hooks: Hooks

    init(_ base: any Log, _ hooks: Hooks) {
        self.base = base
        self.hooks = hooks
    }

    var producer: any Producer { base.producer }
    var admin: any Admin { base.admin }
    func consumer(_ configuration: ConsumerConfiguration) async throws(LogError) -> any Consumer {
        HookedConsumer(base: try await base.consumer(configuration), hooks: hooks)
    }
    func reader() async throws(LogError) -> any Reader { HookedReader(base: try await base.reader(), hooks: hooks) }
    func close() async { await base.close() }
}

private struct HookedReader: Reader {
    let base: any Reader
    let hooks: HookedLog.Hooks

    func read(
        _ partition: TopicPartition, from offset: Offset, maxRecords: Int, waitingUpTo wait: Duration
    ) async throws(LogError) -> [StoredRecord] {
        try await hooks.beforeRead(partition)
        return try await base.read(partition, from: offset, maxRecords: maxRecords, waitingUpTo: wait)
    }
    func close() async { await base.close() }
}

private struct HookedConsumer: ForwardingConsumer {
    let base: any Consumer
    let hooks: HookedLog.Hooks

    func commit(_ commits: [TopicPartition: Commit], outputs: [Record]) async throws(LogError) {
        try hooks.beforeCommit(commits)
        try await base.commit(commits, outputs: outputs)
    }
    func produce(
        _ records: [Record], sealedBy seal: [Record], for sources: [TopicPartition]
    ) async throws(LogError) -> [RecordPosition] {
        guard let beforeSeal = hooks.beforeSeal else {
            return try await base.produce(records, sealedBy: seal, for: sources)
        }
        let positions = try await base.produce(records, for: sources)
        try beforeSeal(seal)
        return try await positions + base.produce(seal, for: sources)
    }
}

/// Lets so many calls pass.
final class Allowance: Sendable {
    private let left: Mutex<Int>
    init(_ calls: Int) { left = Mutex(calls) }
    /// False when it is used up.
    func take() -> Bool {
        left.withLock { left in
            left -= 1
            return left >= 0
        }
    }
    var isUsedUp: Bool { left.withLock { $0 < 0 } }
}

/// A log of which one topic is read so far and no further, until it may.
struct SlowReads: Sendable {
    let log: HookedLog
    private let allowance: Allowance
    private let gate = Mutex<Bool>.Box()

    init(_ base: any Log, of topic: Topic, pages: Int) {
        let (allowance, gate) = (Allowance(pages), gate)
        self.allowance = allowance
        log = HookedLog(
            base,
            .init(beforeRead: { partition async throws(LogError) in
                if partition.topic != topic || gate.isSet || allowance.take() { return }
                while !gate.isSet {
                    do { try await Task.sleep(for: .milliseconds(5)) } catch { throw LogError(.closed, "cancelled") }
                }
            }))
    }

    var isStanding: Bool { allowance.isUsedUp }
    func goOn() { gate.set(true) }
}
