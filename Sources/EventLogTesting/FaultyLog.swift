import EventLog
import Synchronization

/// A log that fails now and then, by a plan, around one that works.
///
/// Reading, assignment and administration pass through untouched; producing and committing meet the plan's faults. Two
/// runs with the same seed see the same faults when they make their calls in the same order.
public final class FaultyLog: Log {
    private let base: any Log
    private let faults: Faults

    public init(_ base: any Log, plan: FaultPlan) {
        self.base = base
        faults = Faults(plan)
    }

    public var producer: any Producer { FaultyProducer(base: base.producer, faults: faults) }
    public var admin: any Admin { base.admin }

    public func consumer(_ configuration: ConsumerConfiguration) async throws(LogError) -> any Consumer {
        FaultyConsumer(base: try await base.consumer(configuration), faults: faults)
    }

    public func reader() async throws(LogError) -> any Reader { try await base.reader() }

    public func close() async { await base.close() }

    /// From now on every produce and commit is refused with `code`, until `repair`.
    public func breakDown(_ code: LogError.Code = .unavailable) { faults.breakDown(code) }

    /// Ends `breakDown`; the plan goes on.
    public func repair() { faults.repair() }

    /// Ends the plan: nothing fails any more but by `breakDown`.
    public func heal() { faults.heal() }

    /// Calls that were made to fail so far.
    public var injected: Int { faults.injected }
}

/// Decides the fate of each call.
final class Faults: Sendable {
    enum Fate {
        case passes
        case refused(LogError)
        /// The call is made, and its caller sees this instead of its success.
        case answerLost(LogError)
    }

    private struct State {
        var random: SeededGenerator
        var healed = false
        var outage: LogError.Code?
        var injected = 0
    }

    private let plan: FaultPlan
    private let state: Mutex<State>

    init(_ plan: FaultPlan) {
        self.plan = plan
        state = Mutex(State(random: SeededGenerator(seed: plan.seed)))
    }

    func breakDown(_ code: LogError.Code) { state.withLock { $0.outage = code } }
    func repair() { state.withLock { $0.outage = nil } }
    func heal() { state.withLock { $0.healed = true } }
    var injected: Int { state.withLock(\.injected) }

    func produceFate() -> Fate {
        fate(plan.refusedProduces, plan.lostProduceAnswers, LogError(plan.produceError, "injected into produce"))
    }

    func commitFate() -> Fate {
        fate(plan.refusedCommits, plan.lostCommitAnswers, LogError(plan.commitError, "injected into commit"))
    }

    private func fate(_ refused: Double, _ lost: Double, _ error: LogError) -> Fate {
        state.withLock { state in
            let draw = Double.random(in: 0..<1, using: &state.random)
            let fate: Fate =
                if let outage = state.outage { .refused(LogError(outage, "broken down on purpose")) }
                else if state.healed { .passes }
                else if draw < refused { .refused(error) }
                else if draw < refused + lost { .answerLost(error) }
                else { .passes }
            if case .passes = fate { return fate }
            state.injected += 1
            return fate
        }
    }
}

private struct FaultyProducer: Producer {
    let base: any Producer
    let faults: Faults

    func send(_ records: [Record], completion: @escaping @Sendable (Result<[RecordPosition], LogError>) -> Void) {
        switch faults.produceFate() {
        case .passes: base.send(records, completion: completion)
        case .refused(let error): completion(.failure(error))
        case .answerLost(let error):
            base.send(records) { result in completion(result.flatMap { _ in .failure(error) }) }
        }
    }
}

private struct FaultyConsumer: ForwardingConsumer {
    let base: any Consumer
    let faults: Faults

    func commit(_ commits: [TopicPartition: Commit], outputs: [Record]) async throws(LogError) {
        switch faults.commitFate() {
        case .passes: try await base.commit(commits, outputs: outputs)
        case .refused(let error): throw error
        case .answerLost(let error):
            try await base.commit(commits, outputs: outputs)
            throw error
        }
    }

    func produce(_ records: [Record], for sources: [TopicPartition]) async throws(LogError) -> [RecordPosition] {
        switch faults.produceFate() {
        case .passes: return try await base.produce(records, for: sources)
        case .refused(let error): throw error
        case .answerLost(let error):
            try await base.produce(records, for: sources)
            throw error
        }
    }
}
