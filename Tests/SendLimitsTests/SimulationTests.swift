import EventLog
import EventLogTesting
import Testing
import WhatsApp

@testable import SendLimits

/// Instances side by side before one platform that counts what arrives, with partitions that move between them.
@Suite struct SimulationTests {
    private static let rate = 300.0

    /// 10 ms of arrivals each, to look at any window of a second.
    private struct Platform {
        let limit: Double
        var arrivals: [Int: Int] = [:]
        var refusals = 0
        private var level: Double
        private var at = Duration.zero

        init(limit: Double) {
            self.limit = limit
            level = limit / 4
        }

        /// A bucket a quarter of a second deep.
        mutating func takes(at now: Duration) -> Bool {
            level = min(limit / 4, level + limit * (now - at).inSeconds)
            at = now
            guard level >= 1 else {
                refusals += 1
                return false
            }
            level -= 1
            arrivals[Int(now.inSeconds * 100), default: 0] += 1
            return true
        }

        func total(from: Int, to: Int) -> Int { (from * 100..<to * 100).reduce(0) { $0 + (arrivals[$1] ?? 0) } }
    }

    private struct Fleet {
        var instances: [Stand]
        var platform: Platform
        var seen: [Int]
        var answers: [(due: Duration, instance: Int, id: UInt64)] = []

        init(_ count: Int, believes rate: Double, limit: Double, shares: [Double]) {
            instances = shares.map { share in
                var stand = Stand(share: share)
                stand.note(stand.state.setNumbers([SendingNumber(id: "1", rate: rate)], at: .zero))
                return stand
            }
            platform = Platform(limit: limit)
            seen = Array(repeating: 0, count: count)
        }

        /// One millisecond: answers come back, lessons travel, everybody always has messages waiting.
        mutating func step(to now: Duration, _ random: inout SeededGenerator) {
            let due = answers.filter { $0.due <= now }
            answers.removeAll { $0.due <= now }
            for answer in due { instances[answer.instance].now = now }
            for (_, instance, id) in due {
                let report: SendReport = platform.takes(at: now) ? .accepted : .failed(.code(130_429))
                instances[instance].report(id, report)
            }
            for index in instances.indices {
                instances[index].run(until: now)
                while instances[index].state.waiters.count < 20 { instances[index].ask() }
                for gone in instances[index].gone[seen[index]...] {
                    answers.append((now + .milliseconds(.random(in: 2...60, using: &random)), index, gone.id))
                }
                seen[index] = instances[index].gone.count
                share(lessonsOf: index, at: now)
            }
        }

        private mutating func share(lessonsOf index: Int, at now: Duration) {
            let lessons = instances[index].state.learned.values.map(\.value)
            instances[index].state.learned = [:]
            for other in instances.indices where other != index {
                for lesson in lessons {
                    instances[other].note(instances[other].state.learn(LearnedLimit(value: lesson)!, at: now))
                }
            }
        }
    }

    @Test func threeInstancesAreNeverOverAndNearlyFull() {
        for seed in UInt64(1)...3 {
            var random = SeededGenerator(seed: seed)
            var fleet = Fleet(3, believes: Self.rate, limit: Self.rate, shares: [4, 4, 4].map { $0 / 12 })
            for step in 1...10_000 { fleet.step(to: .milliseconds(step), &random) }
            #expect(fleet.platform.refusals == 0, "seed \(seed)")
            #expect(Double(fleet.platform.total(from: 1, to: 10)) >= 9 * Self.rate * 0.9, "seed \(seed)")
        }
    }

    @Test func rebalancesDoNotCauseExcess() {
        for seed in UInt64(1)...3 {
            var random = SeededGenerator(seed: seed)
            var fleet = Fleet(3, believes: Self.rate, limit: Self.rate, shares: [1, 0, 0])
            for step in 1...10_000 {
                if step % 700 == 0 {
                    // Eager: everybody gives up everything before anybody gets anything.
                    let cuts = [Int.random(in: 0...12, using: &random), Int.random(in: 0...12, using: &random)].sorted()
                    let shares = [cuts[0], cuts[1] - cuts[0], 12 - cuts[1]].map { Double($0) / 12 }
                    for (index, share) in shares.enumerated() {
                        fleet.instances[index].note(
                            fleet.instances[index].state.setShare(share, at: .milliseconds(step - 1)))
                    }
                }
                fleet.step(to: .milliseconds(step), &random)
            }
            #expect(fleet.platform.refusals == 0, "seed \(seed)")
            #expect(Double(fleet.platform.total(from: 1, to: 10)) >= 9 * Self.rate * 0.85, "seed \(seed)")
        }
    }

    /// The number is believed to have 300 a second and has 100.
    @Test func wrongBeliefIsLearnedDownByAll() {
        var random = SeededGenerator(seed: 9)
        var fleet = Fleet(3, believes: Self.rate, limit: 100, shares: [6, 4, 2].map { $0 / 12 })
        for step in 1...60_000 { fleet.step(to: .milliseconds(step), &random) }
        let sent = fleet.platform.total(from: 10, to: 60)
        let all = fleet.instances.map(\.gone.count).reduce(0, +)
        #expect(Double(sent) >= 50 * 100 * 0.7, "the throughput stays near the true limit: \(sent)")
        #expect(Double(fleet.platform.refusals) <= Double(all) * 0.05, "\(fleet.platform.refusals) of \(all)")
        let rates = fleet.instances.map { $0.state.lanes["1"]!.rate.value(at: .seconds(60)) }
        #expect(rates.max()! - rates.min()! < 0.01 * rates.max()!, "all believe the same: \(rates)")
    }

    /// Everything at random, on one instance: each admission is decided once, nothing grows, nothing is forgotten.
    @Test func everyAdmissionEndsOnceWhateverHappens() {
        for seed in UInt64(1)...30 {
            var random = SeededGenerator(seed: seed)
            let bounds = SendLimitsConfiguration(
                maxWaiting: 64, maxWaitingPerNumber: 16, maxInFlight: 24, maxInFlightPerNumber: 8, maxNumbers: 6,
                maxPairs: 32, maxTemplates: 4)
            var stand = Stand(bounds)
            var open: Set<UInt64> = []
            var asked = 0
            var counted = 0
            for _ in 0..<4_000 {
                switch Int.random(in: 0..<12, using: &random) {
                case 0..<6:
                    let number = "\(Int.random(in: 1...8, using: &random))"
                    stand.ask(
                        number, pair: "\(number):\(Int.random(in: 0..<20, using: &random))",
                        template: Bool.random(using: &random) ? "t\(Int.random(in: 0..<9, using: &random))" : nil,
                        Bool.random(using: &random) ? .reply : .bulk)
                    asked += 1
                case 6..<9:
                    if let id = open.min() {
                        open.remove(id)
                        let code = [130_429, 131_056, 80_007, 4, 190, 132_015, 131_057, 100].randomElement(using: &random)!
                        let reports: [SendReport] = [.accepted, .accepted, .noAnswer, .failed(.code(Int64(code)))]
                        stand.report(id, reports.randomElement(using: &random)!)
                    }
                case 9:
                    if let id = stand.state.waiters.keys.min() { stand.note(stand.state.cancel(id)) }
                case 10: stand.note(stand.state.setShare([0, 0.25, 1].randomElement(using: &random)!, at: stand.now))
                default: stand.run(until: stand.now + .milliseconds(.random(in: 1...4_000, using: &random)))
                }
                for gone in stand.gone[counted...] {
                    let isNew = open.insert(gone.id).inserted
                    #expect(isNew, "seed \(seed)")
                }
                counted = stand.gone.count
                #expect(stand.state.waiters.count <= 64 && stand.state.flights.count <= 24)
                #expect(stand.state.pairs.count <= 32 && stand.state.templates.count <= 4)
                #expect(stand.state.lanes.count <= 6)
            }
            for id in open { stand.report(id) }
            stand.run(until: stand.now + .seconds(30))
            for gone in stand.gone[counted...] { stand.report(gone.id) }
            stand.run(until: stand.now + .seconds(30))
            #expect(stand.state.waiters.isEmpty, "seed \(seed)")
            #expect(Set(stand.gone.map(\.id)).count == stand.gone.count, "seed \(seed)")
            #expect(stand.gone.count + stand.refused.count == asked, "seed \(seed)")
            #expect(stand.gone.allSatisfy { stand.refused[$0.id] == nil }, "seed \(seed)")
        }
    }
}
