import EventLog
import EventLogTesting
import Synchronization
import Testing

@testable import Spill

/// A `SpillState` between a log and a store that work, stall, fail and die by chance: whoever runs it with the same seed
/// sees the same.
///
/// The log takes the flights of a lane in order, as an idempotent producer does, and when it fails, it fails all that are
/// under way; of these it may have stored the first ones. The store commits in order, or refuses. A crash loses what is
/// in memory; the store keeps what it has committed.
final class Simulation {
    /// What the callers were told.
    private final class Book: Sendable {
        let pages = Mutex((answers: 0, acknowledged: Set<String>()))
    }

    static let lanes = 4

    enum Weather: CaseIterable { case good, silent, failing }

    var random: SeededGenerator
    var state: SpillState
    var now: Duration = .zero
    var weather = Weather.good
    var isStoreBroken = false
    /// Each lane's spill: records from `low` on.
    var spilled: [[Record]] = Array(repeating: [], count: lanes)
    var low: [Offset] = Array(repeating: 0, count: lanes)
    var rejected: [Record] = []
    /// What the log has, by lane.
    var stored: [[Record]] = Array(repeating: [], count: lanes)
    /// Handed over and without answer, by lane.
    var underWay: [[(token: UInt64, records: [Record])]] = Array(repeating: [], count: lanes)
    var writing: [SpillAppend] = []
    var given: [Int] = Array(repeating: 0, count: lanes)
    /// Names of records whose call was answered with success.
    var acknowledged: Set<String> { book.pages.withLock { $0.acknowledged } }
    var answers: Int { book.pages.withLock { $0.answers } }
    var calls = 0
    var crashes = 0
    let configuration: SpillConfiguration
    private let book = Book()

    init(seed: UInt64, maxBytes: Int64 = 1 << 20) {
        random = SeededGenerator(seed: seed)
        var configuration = SpillConfiguration()
        configuration.maxBytes = maxBytes
        configuration.maxInFlightRecords = 200
        self.configuration = configuration
        state = Self.fresh(configuration, low.map { $0..<$0 }, 0)
    }

    private static func fresh(_ configuration: SpillConfiguration, _ held: [Range<Offset>], _ bytes: Int64) -> SpillState {
        SpillState(
            configuration: configuration, holding: held, records: held.reduce(0) { $0 + Int64($1.count) }, bytes: bytes)
    }

    static func name(_ record: Record) -> String { String(decoding: record.value ?? [], as: UTF8.self) }

    /// One thing that may happen, by chance.
    func step() {
        switch Int.random(in: 0..<100, using: &random) {
        case ..<30: give()
        case ..<55: answerOfLog()
        case ..<75: answerOfStore()
        case ..<85: drain()
        case ..<90: trim()
        case ..<97: tick()
        case ..<98: weather = Weather.allCases.randomElement(using: &random)!
        case ..<99: isStoreBroken = Int.random(in: 0..<4, using: &random) == 0
        default: if Int.random(in: 0..<10, using: &random) == 0 { crash() }
        }
    }

    /// The weather turns good; everything comes to rest.
    func settle() {
        weather = .good
        isStoreBroken = false
        for _ in 0..<20_000 {
            answerOfStore()
            for _ in 0..<Self.lanes { answerOfLog() }
            drain()
            trim()
            tick()
            if state.lanes.allSatisfy(\.isIdle), writing.isEmpty { return }
        }
    }

    func give() {
        let count = Int.random(in: 1...3, using: &random)
        let chosen = Set((0..<count).map { _ in Int.random(in: 0..<Self.lanes, using: &random) }).sorted()
        let parts = chosen.map { lane in
            (lane, (0..<Int.random(in: 1...2, using: &random)).map { _ in makeRecord(lane) })
        }
        let names = parts.flatMap { $0.1.map(Self.name) }
        calls += 1
        let call = SpillCall(parts: parts.count) { [book] result in
            book.pages.withLock { book in
                book.answers += 1
                if case .success = result { book.acknowledged.formUnion(names) }
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
            stored[lane] += first.records
            state.reported(first.token, in: lane, nil)
        case .failing:
            let all = underWay[lane]
            underWay[lane] = []
            storeSome(of: all, lane)
            for flight in all { state.reported(flight.token, in: lane, LogError(.notDurable, "simulated")) }
        }
        act()
    }

    /// The first ones come to lie on the log although nobody hears of it.
    private func storeSome(of flights: [(token: UInt64, records: [Record])], _ lane: Int) {
        let records = flights.flatMap(\.records)
        stored[lane] += records.prefix(Int.random(in: 0...records.count, using: &random))
    }

    func answerOfStore() {
        if writing.isEmpty { return }
        let append = writing.removeFirst()
        if isStoreBroken {
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

    func drain() {
        guard let step = state.takeStep() else { return }
        if isStoreBroken {
            state.stepFailed(step.lane)
            return
        }
        let at = Int(step.from - low[step.lane])
        let records = Array(spilled[step.lane][at...].prefix(step.maxRecords))
        let token = state.stepRead(step, records, upTo: step.from + Offset(records.count))
        underWay[step.lane].append((token, records))
        state.stepHandedOver(step.lane)
        act()
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
        now += .milliseconds(50)
        state.sweep(now: now, isDiskFull: false)
        act()
    }

    /// Killed and started again: of what was being written the first ones may be durable, of what was under way, too.
    func crash() {
        crashes += 1
        for append in writing.prefix(Int.random(in: 0...writing.count, using: &random)) { _ = commit(append) }
        writing = []
        for lane in 0..<Self.lanes {
            storeSome(of: underWay[lane], lane)
            underWay[lane] = []
        }
        let held = (0..<Self.lanes).map { low[$0]..<low[$0] + Offset(spilled[$0].count) }
        state = Self.fresh(configuration, held, held.reduce(0) { $0 + 100 * Int64($1.count) })
        state.sweep(now: now, isDiskFull: false)
    }

    private func act() {
        while true {
            writing += state.takeAppends()
            guard let effects = state.takeEffects() else { return }
            for settlement in effects.settlements { settlement.call.settle(settlement.failure) }
            for rejection in effects.rejections {
                rejected.append(rejection.record)
                state.rejected(rejection, nil)
            }
        }
    }

    /// Acknowledged records in the order in which the log first got them.
    func firstArrivals(_ lane: Int) -> [Int] {
        var seen: Set<String> = []
        let acknowledged = acknowledged
        return stored[lane].map(Self.name).filter { acknowledged.contains($0) && seen.insert($0).inserted }
            .map { Int($0.split(separator: "/")[1])! }
    }
}
