import EventLog
import EventLogTesting
import Logging
import ProcessorTesting

@testable import Processing

/// A sender in a simulated world: owners of one lane come, go, hang and die; handlers, commits and time follow one seed.
///
/// Sending a record is the effect. It may cause a status on the side input, as the platform's would: evidence for
/// whoever must find out whether an effect of unknown outcome happened.
struct Simulation {
    typealias Instant = ManualClock.Instant
    static let maxParked = 6
    static let patience = Duration.seconds(60)

    let seed: UInt64
    let log: SimulatedLog
    let context: RuntimeContext<InstantClock>
    let rules: LaneState<Instant>.Rules
    let count: Offset
    var random: SeededGenerator
    var now = Moment(instant: Instant(sinceStart: .zero), wall: Timestamp(seconds: 1_000))
    /// The last one is the live one.
    var owners: [SimulatedOwner] = []
    var oracle = DeliveryOracle()
    /// Since when the outcome of a record is looked for.
    var unknownSince: [Offset: Timestamp] = [:]
    var evidence: Set<String> = []
    /// Take-overs, lost answers: what may cause a copy.
    var disturbances = 0
    var resent = 0
    var marksRefused = 0
    var complaints: [String] { oracle.complaints }
    /// What is down until when.
    var down: [OutageScope: Timestamp] = [:]
    var outages = 0
    /// Failures of each record, outages apart, and when it failed first.
    var failures: [Offset: (count: Int, since: Timestamp)] = [:]
    static let retry = RetryPolicy(maxAttempts: 6, maxAge: .seconds(200))
    /// No delay of the simulation is longer.
    static let longestDelay = Duration.seconds(20)

    init(seed: UInt64, records: Offset = 40) {
        self.seed = seed
        count = records
        random = SeededGenerator(seed: seed)
        log = SimulatedLog(isTransactional: Bool.random(using: &random))
        var configuration = ProcessorRuntimeConfiguration()
        configuration.maxLaneRecords = 20
        configuration.maxBatchRecords = 5
        configuration.maxParkedRecords = Self.maxParked
        let work: WorkMode = Bool.random(using: &random) ? .ordered : .concurrent(limit: 4)
        let isTelling = Bool.random(using: &random)
        rules = .init(
            configuration: configuration, retry: Self.retry, work: work, keepsState: false, group: "g",
            deadLetterTopic: "dlq.g", effects: .marked, sideInputs: [SimulatedLog.side.topic],
            scope: { isTelling ? "name \($0.keyText)" : nil })
        context = RuntimeContext(
            processor: TestProcessor { _, _ in [] }, configuration: configuration, clock: InstantClock(),
            wallTime: { Timestamp(seconds: 1_000) }, observer: NoObserver(),
            logger: Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() })
        for offset in 0..<records {
            let key = "k\(Int.random(in: 0..<5, using: &random))"
            log.append(SimulatedLog.main, key: key, value: "\(offset)", at: now.wall)
        }
        takeOver()
    }

    var isDone: Bool {
        log.content.withLock { content in
            content.commits[SimulatedLog.main] == Commit(offset: count)
                && content.commits[SimulatedLog.side] == Commit(offset: Offset(content.records[SimulatedLog.side]?.count ?? 0))
        }
    }

    /// Faults for a while, then calm: everything must come to its end.
    mutating func run() async {
        for step in 0..<20_000 {
            // Asking costs as much as a step.
            if step % 16 == 15, isDone { break }
            await act(isCalm: step > 400)
        }
        checkTheEnd()
    }

    private mutating func act(isCalm: Bool) async {
        let owner = owners.indices.randomElement(using: &random) ?? 0
        switch Int.random(in: 0..<100, using: &random) {
        case 0..<20: deliver(owner)
        case 20..<65: moveHandler(owner, isCalm)
        case 65..<85: await endCommit(owner, isCalm)
        case 85..<94: moveTime(isCalm)
        case 94 where !isCalm: breakDown()
        case 95..<97 where !isCalm: owners[owner].lane.drain(at: now)
        case 97 where !isCalm: takeOver()
        case 98 where !isCalm: owners[owner].lane.close(at: now)
        default: break
        }
        turn(owner)
        if owners[owner].isClosed {
            owners.remove(at: owner)
            if owners.isEmpty || owners.last!.epoch != log.content.withLock(\.epoch) { takeOver() }
        }
    }

    /// Somebody else owns the partitions from now on. The former owner, if it lives, is a zombie.
    private mutating func takeOver() {
        disturbances += 1
        if owners.count > 2 { owners.removeFirst() }
        owners.append(SimulatedOwner(log, rules, seed: random.next(), at: now.wall))
        turn(owners.count - 1)
    }

    private mutating func deliver(_ index: Int) {
        for source in [SimulatedLog.side, SimulatedLog.main] where !owners[index].paused.contains(source) {
            let from = owners[index].positions[source]!
            let records = log.records(source).dropFirst(Int(from)).prefix(Int.random(in: 1...8, using: &random))
            if records.isEmpty { continue }
            owners[index].lane.receive(source, Array(records))
            owners[index].positions[source] = records.last!.offset + 1
        }
    }

    /// Everything, or what one key needs, is down for up to two minutes.
    private mutating func breakDown() {
        let scopes = [.processor] + (0..<5).map { OutageScope.named("name k\($0)") }
        down[scopes.randomElement(using: &random)!] = now.wall + .seconds(Int64.random(in: 1...120, using: &random))
    }

    private mutating func moveTime(_ isCalm: Bool) {
        let step: Duration = .milliseconds(Int64.random(in: 0...(isCalm ? 6_000 : 20_000), using: &random))
        now.instant = now.instant.advanced(by: step)
        now.wall = now.wall + step
    }

    private mutating func endCommit(_ index: Int, _ isCalm: Bool) async {
        guard let job = owners[index].commit else { return }
        if !isCalm, Int.random(in: 0..<5, using: &random) == 0 { return }
        owners[index].commit = nil
        log.content.withLock { $0.fates = [] }
        if !isCalm {
            let fates: [SimulatedLog.Fate] = [.done, .done, .done, .done, .refused, .answerLost, .ownerDies]
            let drawn = (0..<3).map { _ in fates.randomElement(using: &random)! }
            log.content.withLock { $0.fates = drawn }
            disturbances += 3
        }
        do {
            try await CommitCycle(context: context, consumer: owners[index].consumer, disk: nil).run(job)
            if !job.progress.isEmpty { checkMarks(of: owners[index]) }
            owners[index].lane.committed(job, at: now)
        } catch {
            owners[index].lane.close(at: now)
        }
    }

    mutating func turn(_ index: Int) {
        let turn = owners[index].lane.turn(at: now)
        owners[index].handlers += turn.start.map { SimulatedHandler(run: $0) }
        if let job = turn.commit {
            if owners[index].commit != nil { oracle.complain("two commits at once") }
            owners[index].commit = job
        }
        owners[index].paused = turn.paused
        for work in turn.timedOut { noteFailure(of: work) }
        owners[index].isClosed = turn.isClosed
        answer(turn.marks, index)
        let main = owners[index].handlers.filter { !$0.run.isSide && !$0.run.isDisowned(now.instant) }
        let ofScopes = Dictionary(grouping: main) { rules.scope($0.run.works[0].record) ?? "" }.values.map(\.count)
        if main.count > (rules.isOrdered ? 1 : 2 * rules.concurrency) { oracle.complain("\(main.count) runs at once") }
        if !rules.isOrdered, ofScopes.contains(where: { $0 > rules.concurrency }) { oracle.complain("one scope has all hands") }
    }
}

extension Run {
    func isDisowned(_ now: Instant) -> Bool { if case .disowned = begin(0, at: now) { true } else { false } }
}
