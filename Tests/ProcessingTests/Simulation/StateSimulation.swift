import EventLog
import EventLogTesting
import Logging
import Synchronization

@testable import Processing

/// Owners of one partition that count its records per key in state that survives, on three machines, with what a log like
/// Kafka does to them: calls that are refused, whose answer is lost, in which the owner dies or hangs while a successor
/// works, and compaction.
///
/// A hanging owner is a call that runs its successor's life inside of itself, so everything follows from the seed.
final class StateSimulation: Sendable {
    struct Died: Error {}
    static let input = TopicPartition("in", 0)

    let log: SimulatedStateLog
    private let folder: String
    private let records: [(key: String, isForget: Bool)]
    private let random: Mutex<SeededGenerator>
    private let depth = Mutex(0)
    private let lives = Mutex(0)
    let happened = Mutex<[String: Int]>([:])

    init(seed: UInt64, folder: String) {
        var random = SeededGenerator(seed: seed)
        self.folder = folder
        records = (0..<60).map { _ in
            ("k\(Int.random(in: 0..<6, using: &random))", Int.random(in: 0..<8, using: &random) == 0)
        }
        log = SimulatedStateLog(isAtomic: Int.random(in: 0..<4, using: &random) == 0)
        self.random = Mutex(random)
    }

    func draw(_ range: Range<Int>) -> Int { random.withLock { Int.random(in: range, using: &$0) } }
    func note(_ what: String) { happened.withLock { $0[what, default: 0] += 1 } }

    /// What is wrong in the end; empty when nothing is.
    func run() async -> [String] {
        while lives.withLock({ $0 }) < 12, position < records.count { await live(on: draw(0..<3), isCalm: false) }
        await live(on: 3, isCalm: true)
        return await complaints()
    }

    private var position: Int { Int(log.content.withLock(\.commit).offset) }

    private func complaints() async -> [String] {
        guard position == records.count else { return ["never done: \(position)"] }
        var expected: [String: Int] = [:]
        for record in records { expected[record.key] = record.isForget ? nil : expected[record.key, default: 0] + 1 }
        do {
            let disk = try await open(3)
            var complaints: [String] = []
            for key in Set(records.map(\.key)) {
                let held = try await disk.value(key).map { Int($0[0]) }
                if held != expected[key] { complaints.append("\(key) is \(held ?? 0) and not \(expected[key] ?? 0)") }
            }
            return complaints + log.content.withLock(\.complaints)
        } catch {
            return ["\(error)"]
        }
    }

    private func open(_ machine: Int) async throws -> SQLiteStateStore {
        try await .open("\(folder)/\(machine).db", survivors: .all)
    }

    private func context() -> RuntimeContext<InstantClock> {
        RuntimeContext(
            processor: TestProcessor(state: .surviving(.all)) { _, _ in [] }, configuration: .init(), clock: InstantClock(),
            wallTime: { [log] in log.content.withLock(\.now) }, observer: NoObserver(),
            logger: Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() })
    }

    /// One owner: from its assignment until it dies, is fenced, or has had enough.
    private func live(on machine: Int, isCalm: Bool) async {
        lives.withLock { $0 += 1 }
        let generation = log.beginGeneration()
        let consumer = StateSimulationConsumer(simulation: self, generation: generation, isCalm: isCalm)
        do {
            let disk = try await open(machine)
            let committed = log.content.withLock(\.commit)
            let context = context()
            let journal = try await StateRestore(
                context: context, log: log, consumer: consumer, disk: disk, partition: SimulatedStateLog.partition,
                commits: [Self.input: committed], tell: { _ in }
            ).run()
            if log.generation == generation { log.settled() }
            let cycle = CommitCycle(context: context, consumer: consumer, disk: disk, journal: journal)
            let known = try await disk.progress()[Self.input.topic]?.offset ?? 0
            var at = Int(max(known, committed.offset))
            let flushes = isCalm ? Int.max : draw(1..<6)
            var done = 0
            while at < records.count || done == 0, done < flushes {
                let next = min(records.count, at + draw(1..<5))
                try await cycle.run(job(at..<next, disk))
                if log.generation == generation { log.settled() }
                (at, done) = (next, done + 1)
            }
        } catch is Died {
            note("deaths")
        } catch is SQLiteStateStore.Superseded {
            note("superseded")
        } catch {
            note("\((error as? LogError)?.code.name ?? "\(error)")")
        }
    }

    private func job(_ range: Range<Int>, _ disk: SQLiteStateStore) async throws -> CommitJob {
        var writes: StateWrites = [:]
        for record in records[range] {
            var count = 0
            if let entry = writes[record.key] {
                count = Int(entry.value?[0] ?? 0)
            } else {
                count = Int(try await disk.value(record.key)?[0] ?? 0)
            }
            writes[record.key] = StateEntry(value: record.isForget ? nil : [UInt8(count + 1)])
        }
        let progress = Progress(offset: Offset(range.upperBound))
        var job = CommitJob(outputs: [], bytes: 0, records: range.count)
        job.sources = [Self.input]
        job.progress = [Self.input: progress]
        job.state = StateFlush(writes: writes, applied: [Self.input.topic: progress])
        return job
    }

    /// What befalls a call before it is made: it may hang for a successor's life.
    func befall(_ generation: Int, isCalm: Bool) async throws {
        if isCalm { return }
        switch draw(0..<24) {
        case 0: throw Died()
        case 1...3 where depth.withLock({ $0 }) < 2:
            note("hangs")
            depth.withLock { $0 += 1 }
            for _ in 0..<draw(1..<3) { await live(on: draw(0..<3), isCalm: false) }
            depth.withLock { $0 -= 1 }
        case 4: log.compact()
        case 5: log.letTombstonesGo()
        default: break
        }
    }
}

/// An owner's membership.
private struct StateSimulationConsumer: ForwardingConsumer {
    var base: any Consumer { SilentConsumer() }
    let simulation: StateSimulation
    let generation: Int
    let isCalm: Bool
    private var log: SimulatedStateLog { simulation.log }

    init(simulation: StateSimulation, generation: Int, isCalm: Bool) {
        (self.simulation, self.generation, self.isCalm) = (simulation, generation, isCalm)
    }

    /// Owners that die say `.closed`, which ends them.
    private func befall() async throws(LogError) {
        do { try await simulation.befall(generation, isCalm: isCalm) } catch { throw LogError(.closed, "died") }
    }
    private func answerMayBeLost() throws(LogError) {
        if isCalm { return }
        switch simulation.draw(0..<16) {
        case 0: throw LogError(.unavailable, "the answer is lost")
        case 1: throw LogError(.closed, "died")
        default: return
        }
    }

    func commit(_ commits: [TopicPartition: Commit], outputs: [Record]) async throws(LogError) {
        try await befall()
        guard let commit = commits[StateSimulation.input] else { return }
        try log.commit(commit, by: generation)
        try answerMayBeLost()
    }

    func produce(_ records: [Record], for sources: [TopicPartition]) async throws(LogError) -> [RecordPosition] {
        try await befall()
        if log.isAtomic, log.generation != generation { throw LogError(.fenced, "simulated") }
        // Kafka takes records one by one: an owner may die among them.
        var positions: [RecordPosition] = []
        for record in records {
            positions.append(RecordPosition(SimulatedStateLog.partition, log.append(record, rolls: simulation.draw(0..<6) == 0)))
            if !log.isAtomic, records.count > 1, !isCalm, simulation.draw(0..<30) == 0 { throw LogError(.closed, "died") }
            if !log.isAtomic, records.count > 1 { try await befall() }
        }
        try answerMayBeLost()
        return positions
    }

    func produce(
        _ records: [Record], sealedBy seal: [Record], for sources: [TopicPartition]
    ) async throws(LogError) -> [RecordPosition] {
        if log.isAtomic { return try await produce(records + seal, for: sources) }
        let positions = records.isEmpty ? [] : try await produce(records, for: sources)
        return try await positions + produce(seal, for: sources)
    }
}
