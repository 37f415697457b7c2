import EventLog
import EventLogTesting
import Synchronization
import Testing

@testable import Spill

/// A `SpillState` between a log and a store that work, stall, fail and die by chance: whoever runs it with the same seed
/// sees the same.
///
/// The log takes the flights of a lane in order, as an idempotent producer does, and when it fails, it fails all that are
/// under way; of these it may have stored the first ones. Some records it never takes (`isPoison`), and at times a whole
/// topic. The store commits in order, or refuses. A crash loses what is in memory; the store keeps what it has committed.
/// The bounds are looked at after every step.
final class Simulation {
    /// What the callers were told.
    private final class Book: Sendable {
        let pages = Mutex((waiting: Set<Int>(), acknowledged: Set<String>()))
    }

    static let lanes = 4

    /// Of the log: `refusing` the topic as a whole.
    enum Weather: CaseIterable { case good, silent, failing, refusing }
    /// What may happen beside silence.
    enum Hardship { case any, onlySilence }

    var random: SeededGenerator
    var state: SpillState
    var now: Duration = .zero
    var weather = Weather.good
    /// When the log last failed a lane.
    var failedAt: [Int: Duration] = [:]
    var isStoreBroken = false
    /// Each lane's spill: records from `low` on.
    var spilled: [[Record]] = Array(repeating: [], count: lanes)
    var low: [Offset] = Array(repeating: 0, count: lanes)
    /// Names of records that the log never takes.
    var poison: Set<String> = []
    /// The rejected table, and what the operator took from it.
    var rejected: [Record] = []
    var taken: [Record] = []
    /// What the log has, by lane.
    var stored: [[Record]] = Array(repeating: [], count: lanes)
    /// Handed over and without answer, by lane.
    var underWay: [[(token: UInt64, records: [Record])]] = Array(repeating: [], count: lanes)
    var writing: [SpillAppend] = []
    /// Parts of the spill on their way to the log.
    enum Stage { case taken(SpillState.Step), read(Int, UInt64, [Record]), handedOver(Int) }
    var steps: [Stage] = []
    /// On their way to the rejected table.
    var rejections: [Rejection] = []
    var given: [Int] = Array(repeating: 0, count: lanes)
    /// Names of records whose call was answered with success.
    var acknowledged: Set<String> { book.pages.withLock { $0.acknowledged } }
    /// Calls without answer, but those that a crash has cut off.
    var unanswered: Int { book.pages.withLock { $0.waiting.count } }
    var calls = 0
    var crashes = 0
    /// What must never be, and was.
    var faults: Set<String> = []
    let hardship: Hardship
    /// Calls in a hundred events.
    let pace: Int
    let configuration: SpillConfiguration
    private let book = Book()

    init(seed: UInt64, maxBytes: Int64 = 1 << 20, hardship: Hardship = .any) {
        random = SeededGenerator(seed: seed)
        self.hardship = hardship
        // From a log that mostly keeps up to one that never does.
        pace = [1, 3, 6, 30][Int(seed % 4)]
        var configuration = SpillConfiguration()
        configuration.maxBytes = maxBytes
        configuration.maxInFlightRecords = 20
        self.configuration = configuration
        state = Self.fresh(configuration, low.map { $0..<$0 }, 0)
    }

    private static func fresh(_ configuration: SpillConfiguration, _ held: [Range<Offset>], _ bytes: Int64) -> SpillState {
        SpillState(
            configuration: configuration, holding: held, records: held.reduce(0) { $0 + Int64($1.count) }, bytes: bytes)
    }

    static func name(_ record: Record) -> String { String(decoding: record.value ?? [], as: UTF8.self) }
    /// Too large for the log, as it were. Such a record comes in a call of its own: Kafka's producer refuses whole calls.
    func isPoison(_ record: Record) -> Bool { poison.contains(Self.name(record)) }

    /// One thing that may happen, by chance.
    func step() {
        if Int.random(in: 0..<100, using: &random) < pace {
            give()
        } else {
            switch Int.random(in: 0..<70, using: &random) {
            case ..<25: answerOfLog()
            case ..<45: answerOfStore()
            case ..<55: drain()
            case ..<58: trim()
            case ..<60: reject()
            case ..<67: tick()
            case ..<68: changeWeather()
            case ..<69: isStoreBroken = hardship == .any && Int.random(in: 0..<4, using: &random) == 0
            default: if hardship == .any, Int.random(in: 0..<10, using: &random) == 0 { crash() }
            }
        }
        lookAtBounds()
    }

    /// Mostly good, so that lanes come out of the spill again.
    private func changeWeather() {
        let bad = hardship == .any ? [Weather.silent, .failing, .refusing] : [.silent]
        let turnsBad = weather == .good && Int.random(in: 0..<4, using: &random) == 0
        weather = turnsBad ? bad.randomElement(using: &random)! : .good
    }

    /// As the bound counts them.
    var rejectedBytes: Int64 { rejected.reduce(0) { $0 + Int64($1.byteCount) + 64 } }

    private func lookAtBounds() {
        let totals = state.totals
        if totals.heldBytes > configuration.maxBytes + rejectedBytes { faults.insert("the spill is too full") }
        // A call's part may go beyond the bound; what is drained is bounded by the lanes.
        let given = state.lanes.joinedFlights.filter { !$0.isDrained && $0.report == nil }.reduce(0) { $0 + $1.records.count }
        if given > configuration.maxInFlightRecords + 2 { faults.insert("too much is in flight") }
        if totals.heldRecords < 0 || totals.inFlightBytes < 0 { faults.insert("less than nothing") }
    }

    /// The log says nothing, the spill has room: whoever waits must be answered soon. False when somebody is not.
    func answersAllInSilence() -> Bool {
        weather = .silent
        isStoreBroken = false
        for _ in 0..<20 {
            tick()
            while !writing.isEmpty { answerOfStore() }
        }
        return unanswered == 0
    }

    /// The weather turns good; everything comes to rest.
    func settle() {
        weather = .good
        isStoreBroken = false
        for _ in 0..<40_000 {
            answerOfStore()
            for _ in 0..<Self.lanes { answerOfLog() }
            drain()
            reject()
            trim()
            tick()
            if state.lanes.allSatisfy(\.isIdle), writing.isEmpty, steps.isEmpty, rejections.isEmpty { return }
        }
    }

    func give() {
        let count = Int.random(in: 1...3, using: &random)
        let chosen = Set((0..<count).map { _ in Int.random(in: 0..<Self.lanes, using: &random) }).sorted()
        let parts = chosen.map { lane in
            (lane, (0..<Int.random(in: 1...2, using: &random)).map { _ in makeRecord(lane) })
        }
        let names = parts.flatMap { $0.1.map(Self.name) }
        if hardship == .any, names.count == 1, Int.random(in: 0..<8, using: &random) == 0 { poison.insert(names[0]) }
        calls += 1
        book.pages.withLock { _ = $0.waiting.insert(calls) }
        let call = SpillCall(parts: parts.count) { [book, calls] failure in
            book.pages.withLock { book in
                book.waiting.remove(calls)
                if failure == nil { book.acknowledged.formUnion(names) }
            }
        }
        for (lane, records) in parts {
            switch state.admit(records, bytes: 100 * records.count, to: lane, for: call) {
            case .handOver(let token): underWay[lane].append((token, records))
            case .spilled: break
            case .refused(let error): call.settle(error)
            }
        }
        act()
    }

    private func makeRecord(_ lane: Int) -> Record {
        given[lane] += 1
        return Record(topic: "t", key: [UInt8(lane)], value: Array("\(lane)/\(given[lane])".utf8))
    }

    func answerOfLog() {
        let lane = Int.random(in: 0..<Self.lanes, using: &random)
        guard let first = underWay[lane].first else { return }
        switch weather {
        case .silent: return
        case .good:
            underWay[lane].removeFirst()
            if first.records.contains(where: isPoison) {
                state.reported(first.token, in: lane, LogError(.recordTooLarge, "simulated"))
            } else {
                stored[lane] += first.records
                state.reported(first.token, in: lane, nil)
            }
        case .failing:
            let all = underWay[lane]
            underWay[lane] = []
            storeSome(of: all, lane)
            for flight in all { state.reported(flight.token, in: lane, LogError(.notDurable, "simulated")) }
            failedAt[lane] = now
        case .refusing:
            let all = underWay[lane]
            underWay[lane] = []
            for flight in all { state.reported(flight.token, in: lane, LogError(.unknownTopic, "simulated")) }
            failedAt[lane] = now
        }
        act()
    }

    /// The first ones come to lie on the log although nobody hears of it.
    private func storeSome(of flights: [(token: UInt64, records: [Record])], _ lane: Int) {
        let records = flights.flatMap(\.records).filter { !isPoison($0) }
        stored[lane] += records.prefix(Int.random(in: 0...records.count, using: &random))
    }

    func answerOfStore() {
        if writing.isEmpty { return }
        let append = writing.removeFirst()
        if isStoreBroken || (hardship == .any && Int.random(in: 0..<10, using: &random) == 0) {
            state.appended(append, .failure(LogError(.storage, "simulated")))
        } else {
            state.appended(append, .success(commit(append)))
        }
        act()
    }

    private func commit(_ append: SpillAppend) -> Range<Offset> {
        let from = low[append.lane] + Offset(spilled[append.lane].count)
        spilled[append.lane] += append.records
        return from..<from + Offset(append.records.count)
    }

    /// A part of the spill is taken, read, or handed over: anything may happen in between.
    func drain() {
        if let at = steps.indices.randomElement(using: &random), Bool.random(using: &random) {
            goOn(steps.remove(at: at))
        } else if let step = state.takeStep() {
            if failedAt[step.lane] == now { faults.insert("no pause after a failure") }
            steps.append(.taken(step))
        }
        act()
    }

    private func goOn(_ stage: Stage) {
        switch stage {
        case .taken(let step) where isStoreBroken: state.stepFailed(step.lane)
        case .taken(let step):
            let at = Int(step.from - low[step.lane])
            let records = Array(spilled[step.lane][at...].prefix(step.maxRecords))
            let token = state.stepRead(step, records, upTo: step.from + Offset(records.count))
            steps.append(.read(step.lane, token, records))
        case .read(let lane, let token, let records):
            underWay[lane].append((token, records))
            steps.append(.handedOver(lane))
        case .handedOver(let lane): state.stepHandedOver(lane)
        }
    }

    func trim() {
        if isStoreBroken { return }
        let trims = state.trims
        var bytes: Int64 = 0
        for (lane, offset) in trims {
            let count = Int(offset - low[lane])
            spilled[lane].removeFirst(count)
            low[lane] = offset
            bytes += 100 * Int64(count)
        }
        state.trimmed(trims, bytes: bytes)
    }

    func tick() {
        // Now and then long enough for those who hold back.
        now += .milliseconds(Int.random(in: 0..<20, using: &random) == 0 ? 5_000 : 50)
        state.sweep(now: now)
        act()
    }

    /// Killed and started again: of what was being written the first ones may be durable, of what was under way, too.
    func crash() {
        crashes += 1
        for append in writing.prefix(Int.random(in: 0...writing.count, using: &random)) { _ = commit(append) }
        writing = []
        steps = []
        rejections = []
        failedAt = [:]
        book.pages.withLock { $0.waiting = [] }
        for lane in 0..<Self.lanes {
            storeSome(of: underWay[lane], lane)
            underWay[lane] = []
        }
        let held = (0..<Self.lanes).map { low[$0]..<low[$0] + Offset(spilled[$0].count) }
        // The operator has emptied the rejected table meanwhile.
        state = Self.fresh(configuration, held, held.reduce(0) { $0 + 100 * Int64($1.count) })
        taken += rejected
        rejected = []
        state.sweep(now: now)
    }

    private func act() {
        while true {
            writing += state.takeAppends()
            guard let effects = state.takeEffects() else { return }
            for settlement in effects.settlements { settlement.call.settle(settlement.failure) }
            rejections += effects.rejections
        }
    }

    func reject() {
        guard let at = rejections.indices.randomElement(using: &random) else { return }
        let rejection = rejections.remove(at: at)
        if !isPoison(rejection.record) { faults.insert("a good record is rejected") }
        if isStoreBroken {
            state.rejected(rejection, LogError(.storage, "simulated"))
        } else {
            rejected.append(rejection.record)
            state.rejected(rejection, nil)
        }
        act()
    }

    /// Acknowledged records in the order in which the log first got them.
    func firstArrivals(_ lane: Int) -> [Int] {
        var seen: Set<String> = []
        let acknowledged = acknowledged
        return stored[lane].map(Self.name).filter { acknowledged.contains($0) && seen.insert($0).inserted }
            .map { Int($0.split(separator: "/")[1])! }
    }

    /// All that is on the log or was rejected, by name.
    var kept: Set<String> { Set((stored.joined() + rejected + taken).map(Self.name)) }
}

extension [Lane] {
    fileprivate var joinedFlights: [Lane.Flight] { flatMap(\.flights) }
}
