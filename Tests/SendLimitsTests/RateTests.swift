import EventLog
import EventLogTesting
import Testing
import WhatsApp

@testable import SendLimits

@Suite struct RateTests {
    @Test func bucketStartsEmpty() {
        var stand = Stand(SendLimitsConfiguration(margin: 1))
        let id = stand.ask()
        #expect(stand.gone.isEmpty)
        stand.run(until: .milliseconds(12))
        #expect(!stand.went(id))
        stand.run(until: .milliseconds(13))
        #expect(stand.went(id), "80 a second: the first token is there after 12.5 ms")
    }

    /// A thousand a second for ten seconds, always with messages waiting.
    @Test(arguments: [20.0, 80, 1_000]) func rateIsHeldWithinOnePercent(rate: Double) {
        var stand = Stand()
        stand.note(stand.state.setNumbers([SendingNumber(id: "1", rate: rate)], at: stand.now))
        var reported = 0
        for step in 1...10_000 {
            while stand.state.waiters.count < 10 { stand.ask() }
            stand.run(until: .milliseconds(step))
            while reported < stand.gone.count {
                stand.report(stand.gone[reported].id)
                reported += 1
            }
        }
        #expect(Double(stand.gone.count) <= rate * 10)
        #expect(Double(stand.gone.count) >= rate * 10 * 0.99 - 1)
        #expect(mostInASecond(stand.gone.map(\.at)) <= Int(rate))
    }

    /// The fullest second of all, wherever it begins.
    private func mostInASecond(_ times: [Duration]) -> Int {
        var (most, first) = (0, 0)
        for (index, time) in times.enumerated() {
            while time - times[first] >= .seconds(1) { first += 1 }
            most = max(most, index - first + 1)
        }
        return most
    }

    /// A number that was silent has tokens for a moment; they must not come on top of a full second.
    @Test(arguments: [20.0, 80, 1_000], [1.0, 0.25])
    func noSecondAfterAnIdleTimeHoldsMoreThanTheRate(rate: Double, share: Double) {
        let many = 100_000
        var stand = Stand(
            SendLimitsConfiguration(
                maxWaiting: many, maxWaitingPerNumber: many, maxInFlight: many, maxInFlightPerNumber: many),
            share: share)
        stand.note(stand.state.setNumbers([SendingNumber(id: "1", rate: rate)], at: stand.now))
        stand.expectSend()
        for idle in [0.05, 0.2, 1, 10, 3_600] {
            stand.run(until: stand.now + .seconds(idle))
            let before = stand.gone.count
            for _ in 0..<Int(3 * rate * share) { stand.ask() }
            let begun = stand.now
            stand.run(until: begun + .seconds(3))
            let gone = stand.gone.count - before
            #expect(Double(gone) >= (rate * share * 3).rounded(.down) * 0.98 - 1, "and it is used")
            for permit in stand.gone[before...] { stand.report(permit.id) }
            stand.run(until: begun + .seconds(5))
        }
        #expect(mostInASecond(stand.gone.map(\.at)) <= Int(rate * share))
    }

    /// The log stood still for a while, and a crowd that was let go one by one wants to leave at once.
    @Test func noSecondOfDeparturesHoldsMoreThanTheRate() {
        var stand = Stand(SendLimitsConfiguration(margin: 1))
        stand.expectSend()
        var left: [Duration] = []
        for stall in [Duration.seconds(10), .milliseconds(300), .seconds(2)] {
            stand.run(until: stand.now + stall)
            for _ in 0..<40 { left.append(stand.now + stand.leave("1")) }
            for _ in 0..<120 {
                stand.run(until: stand.now + .microseconds(12_500))
                left.append(stand.now + stand.leave("1"))
            }
        }
        #expect(mostInASecond(left.sorted()) <= 80)
    }

    /// The process stands still while messages sleep until their slots, and all of them wake together.
    @Test func whoSleptThroughAStallLeavesAtThePaceAllTheSame() throws {
        var stand = Stand(SendLimitsConfiguration(margin: 1))
        stand.expectSend()
        stand.run(until: .seconds(10))
        let slots = (0..<60).map { _ in stand.state.departure("1", at: stand.now) }
        var asleep = slots.filter { $0.at > stand.now }.map { (slot: $0, wakesAt: stand.now + .seconds(2)) }
        #expect(asleep.count > 40)
        var left: [Duration] = []
        while let next = asleep.indices.min(by: { asleep[$0].wakesAt < asleep[$1].wakesAt }) {
            stand.run(until: max(stand.now, asleep[next].wakesAt))
            let rest = stand.state.rest(of: asleep[next].slot, "1", at: stand.now)
            if rest == .zero { left.append(stand.now) }
            if rest == .zero { asleep.remove(at: next) } else { asleep[next].wakesAt = stand.now + rest }
        }
        let distances = zip(left, left.dropFirst()).map { $1 - $0 }
        #expect(distances.allSatisfy { $0 > .microseconds(12_499) }, "80 a second")
        #expect(try #require(left.last) < .seconds(12 + 1), "nobody waits longer than it had to")
        #expect(stand.leave("1") <= .microseconds(12_501), "and the next is not held up by what is over")
    }

    @Test func inboundMessagesCountAsWellAfterAnIdleTime() {
        var stand = Stand(SendLimitsConfiguration(margin: 1))
        stand.expectSend()
        stand.run(until: .seconds(10))
        stand.state.inbound("1", 40, at: stand.now)
        let before = stand.gone.count
        for _ in 0..<80 { stand.ask() }
        stand.run(until: stand.now + .milliseconds(999))
        #expect((39...40).contains(stand.gone.count - before), "80 a second, and 40 came in")
    }

    @Test func instanceTakesThePartItOwns() {
        var stand = Stand(SendLimitsConfiguration(margin: 1), share: 0.25)
        for _ in 0..<100 { stand.ask() }
        stand.run(until: .seconds(2))
        #expect((39...40).contains(stand.gone.count), "a quarter of 80 a second")
        stand.note(stand.state.setShare(0, at: stand.now))
        let before = stand.gone.count
        stand.run(until: .seconds(10))
        #expect(stand.gone.count <= before + 1, "no partitions, no sends")
        stand.note(stand.state.setShare(1, at: stand.now))
        stand.run(until: .seconds(11))
        #expect(stand.state.waiters.isEmpty)
    }

    @Test func inboundMessagesCountAndTheirDebtIsBounded() {
        var stand = Stand(SendLimitsConfiguration(margin: 1))
        stand.run(until: .seconds(1))
        stand.state.inbound("1", 40, at: stand.now)
        for _ in 0..<80 { stand.ask() }
        stand.run(until: .seconds(2))
        #expect((39...40).contains(stand.gone.count), "80 a second, and 40 came in")
        stand.state.inbound("1", 1_000_000, at: stand.now)
        let before = stand.gone.count
        stand.run(until: stand.now + .milliseconds(990))
        #expect(stand.gone.count == before)
        stand.run(until: stand.now + .milliseconds(100))
        #expect(stand.gone.count > before, "a flood of inbound silences a number for a second, not for hours")
    }

    @Test(arguments: [130_429, 80_007, 4] as [Int64]) func complaintCutsTheRateWhichGrowsBack(code: Int64) {
        var stand = Stand(SendLimitsConfiguration(margin: 1))
        stand.note(stand.state.setNumbers([SendingNumber(id: "1", account: "a", rate: 100)], at: stand.now))
        let first = stand.ask()
        let second = stand.ask()
        stand.run(until: .seconds(1))
        func rate(_ stand: Stand) -> Double {
            (stand.state.lanes["1"]?.rate.value(at: stand.now) ?? 0) * stand.state.share(of: "a", at: stand.now)
        }
        #expect(rate(stand) == 100)
        stand.report(first, .failed(.code(code)))
        #expect(abs(rate(stand) - 70) < 0.01)
        stand.report(second, .failed(.code(code)))
        #expect(abs(rate(stand) - 70) < 0.01, "it left before the cut and says nothing new")
        stand.run(until: .seconds(31))
        #expect((79...82).contains(rate(stand)), "additive: 0.5 % of 70 a second")
        stand.run(until: .seconds(101))
        #expect(rate(stand) == 100)
        for _ in 0..<60 {
            let id = stand.ask()
            stand.run(until: stand.now + .seconds(1))
            stand.report(id, .failed(.code(code)))
        }
        #expect(rate(stand) >= 0.999, "a hundredth is never cut, or nobody would find out that it is over")
    }

    @Test func accountsComplaintSlowsItsNumbersAlone() {
        var stand = Stand(SendLimitsConfiguration(margin: 1))
        let numbers = [("1", "a"), ("2", "a"), ("3", "b")].map { SendingNumber(id: $0.0, account: $0.1, rate: 100) }
        stand.note(stand.state.setNumbers(numbers, at: stand.now))
        stand.expectSend("1", .failed(.code(80_007)))
        #expect(stand.state.share(of: "a", at: stand.now) < 0.8)
        #expect(stand.state.share(of: "b", at: stand.now) == 1)
    }

    @Test func upgradeRaisesTheCeilingAndForgetsOlderComplaints() {
        var stand = Stand(SendLimitsConfiguration(margin: 1))
        stand.expectSend("1", .failed(.code(130_429)))
        stand.note(stand.state.ceilingChanged("1", to: 1_000, since: stand.now, at: stand.now))
        #expect(stand.state.lanes["1"]?.rate.value(at: stand.now) == 1_000)
        // The configuration is read again: what the platform said stays.
        stand.note(stand.state.setNumbers([SendingNumber(id: "1", rate: 80)], at: stand.now))
        #expect(stand.state.lanes["1"]?.rate.ceiling == 1_000)
        // An older word comes late.
        stand.note(stand.state.ceilingChanged("1", to: 20, since: stand.now - .seconds(5), at: stand.now))
        #expect(stand.state.lanes["1"]?.rate.ceiling == 1_000)
    }

    @Test func maintenancePausesTheNumberAndRetryAfterIsHonoured() {
        var stand = Stand(SendLimitsConfiguration(maxWait: .seconds(60)))
        let first = stand.ask()
        stand.run(until: .seconds(1))
        stand.report(first, .failed(.code(131_057)))
        let second = stand.ask()
        let other = stand.ask("2")
        stand.run(until: .seconds(30))
        #expect(!stand.went(second) && stand.went(other))
        stand.run(until: .seconds(32))
        #expect(stand.went(second))
        stand.report(second, .failed(.code(130_429, retryAfter: .seconds(7))))
        let third = stand.ask()
        stand.run(until: .seconds(38))
        #expect(!stand.went(third))
        stand.run(until: .seconds(40))
        #expect(stand.went(third))
    }

    @Test func lessonsReachOtherInstancesInAnyOrderAndAnyNumberOfTimes() throws {
        for seed in UInt64(1)...20 {
            var random = SeededGenerator(seed: seed)
            var teacher = Stand()
            var lessons: [LearnedLimit] = []
            for _ in 0..<12 {
                teacher.run(until: teacher.now + .milliseconds(.random(in: 200...9_000, using: &random)))
                if Bool.random(using: &random) {
                    _ = teacher.send("1", .failed(.code([130_429, 80_007, 4].randomElement(using: &random)!)))
                } else {
                    let rate = [80.0, 1_000].randomElement(using: &random)!
                    teacher.note(teacher.state.ceilingChanged("1", to: rate, since: teacher.now, at: teacher.now))
                }
                lessons += teacher.state.learned.values
                teacher.state.learned = [:]
            }
            var pupil = Stand()
            pupil.now = teacher.now
            for lesson in (lessons + lessons).shuffled(using: &random) {
                let copy = try #require(LearnedLimit(value: lesson.value))
                #expect(copy == lesson)
                pupil.note(pupil.state.learn(copy, at: pupil.now))
            }
            for later in [0, 1, 30, 300] {
                let now = teacher.now + .seconds(later)
                let taught = pupil.state.lanes["1"]!.rate.value(at: now) * pupil.state.share(of: "1", at: now)
                let own = teacher.state.lanes["1"]!.rate.value(at: now) * teacher.state.share(of: "1", at: now)
                #expect(abs(taught - own) < 0.01 * own, "seed \(seed)")
            }
        }
    }

    @Test func lessonFromTheFutureIsNotTheLastWord() {
        var stand = Stand()
        let ahead = LearnedLimit.Rate(micro: 10_000_000, at: Stand.wall + .seconds(86_400))
        stand.note(stand.state.learn(LearnedLimit(.number("1"), cut: ahead), at: stand.now))
        stand.run(until: .seconds(10))
        let own = LearnedLimit.Rate(micro: 40_000_000, at: Stand.wall + .seconds(9))
        stand.note(stand.state.learn(LearnedLimit(.number("1"), cut: own), at: stand.now))
        #expect(stand.state.lanes["1"]?.rate.cut?.rate == 40)
    }

    @Test(arguments: [
        "", "[]", "{}", #"{"scope":"number"}"#, #"{"scope":"number","id":"1"}"#,
        #"{"scope":"number","id":"1","cut_micro":0,"cut_at":1}"#,
        #"{"scope":"number","id":"1","cut_micro":999999999999,"cut_at":1}"#,
        #"{"scope":"moon","id":"1","cut_micro":1,"cut_at":1}"#,
    ]) func lessonThatMakesNoSenseIsRefused(text: String) {
        #expect(LearnedLimit(value: Array(text.utf8)) == nil)
    }

    @Test func whatStoodStillLeavesAtTheNumbersPace() {
        var stand = Stand()
        stand.expectSend("1")
        let rate = 80.0
        // Let go one by one, and held up together: beyond what the bucket holds they leave at the rate.
        let waits = (0..<40).map { _ in stand.leave("1") }
        #expect(waits.prefix(8).allSatisfy { $0 == .zero })
        #expect(waits.last.map { abs($0.inSeconds - (39 / rate - TokenBucket.depth)) < 0.001 } ?? false)
        // At the pace of the bucket nobody waits.
        stand.run(until: stand.now + .seconds(5))
        for _ in 0..<200 {
            stand.run(until: stand.now + .seconds(1 / rate))
            #expect(stand.leave("1") == .zero)
        }
        #expect(stand.leave("2") == .zero, "a number that nobody has let go of")
    }
}
