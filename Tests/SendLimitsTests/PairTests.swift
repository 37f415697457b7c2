import EventLogTesting
import Testing
import WhatsApp

@testable import SendLimits

@Suite struct PairTests {
    /// The platform's rule as it is written, on arrivals: a burst window of 6 s for 45, then silence until all is paid.
    private struct Platform {
        var began = Duration.zero
        var count = 0
        var paidAt = Duration.zero

        mutating func takes(at now: Duration) -> Bool {
            if now >= paidAt { (began, count, paidAt) = (now, 0, now) }
            guard count < 45, now - began < .seconds(6) || now >= paidAt else { return false }
            count += 1
            paidAt += .seconds(6)
            return true
        }
    }

    @Test func steadyPairSendsOneInSixSeconds() {
        var pair = PairLimit(at: .zero)
        var now = Duration.zero
        for _ in 0..<10 {
            #expect(pair.wait(at: now) == .zero)
            pair.take(at: now)
            now += PairLimit.interval
        }
    }

    @Test func burstIsLentFromTheFuture() {
        var stand = Stand(SendLimitsConfiguration(maxWait: .seconds(200)))
        for _ in 0..<20 { stand.ask(pair: "1:a") }
        stand.run(until: .seconds(5))
        #expect(stand.gone.count == 20)
        for id in stand.gone.map(\.id) { stand.report(id) }
        stand.run(until: .seconds(10))
        let late = stand.ask(pair: "1:a")
        stand.run(until: .seconds(119))
        #expect(!stand.went(late), "20 at once are two minutes of silence")
        stand.run(until: .seconds(125))
        #expect(stand.went(late))
    }

    @Test func burstEndsAtFortyFive() {
        var stand = Stand(SendLimitsConfiguration(maxWait: .seconds(1_000)))
        stand.note(stand.state.setNumbers([SendingNumber(id: "1", rate: 1_000)], at: stand.now))
        for _ in 0..<50 { stand.ask(pair: "1:a") }
        let other = stand.ask(pair: "1:b")
        stand.run(until: .seconds(60))
        #expect(stand.gone.count == 46)
        #expect(stand.went(other), "others of the same number are not held up")
    }

    /// Any traffic, seen late and unevenly by the platform: it never has to refuse.
    @Test func platformNeverHasToRefuse() {
        for seed in UInt64(1)...50 {
            var random = SeededGenerator(seed: seed)
            var pair = PairLimit(at: .zero)
            var platform = Platform()
            var now = Duration.zero
            var arrived = Duration.zero
            for _ in 0..<500 {
                now += .milliseconds(.random(in: 0...[50, 2_000, 30_000].randomElement(using: &random)!, using: &random))
                guard pair.wait(at: now) == .zero else { continue }
                pair.take(at: now)
                arrived = max(arrived, now + .milliseconds(.random(in: 5...90, using: &random)))
                let isTaken = platform.takes(at: arrived)
                #expect(isTaken, "seed \(seed)")
            }
        }
    }

    @Test func refusalBacksOffByFourForThisPairOnly() {
        var stand = Stand(SendLimitsConfiguration(maxWait: .seconds(2_000)))
        for x in 0..<4 {
            let id = stand.ask(pair: "1:a")
            stand.run(until: stand.now + .seconds(2_000))
            #expect(stand.went(id))
            let struck = stand.now
            stand.report(id, .failed(.code(131_056)))
            // Until our own book says that nothing is owed, the longer of both counts: here it is always the refusal's.
            let wait = stand.state.pairs.wait("1:a", at: struck)
            #expect(wait >= .seconds(1 << (2 * x)))
            #expect(x < 1 || wait == .seconds(1 << (2 * x)))
            #expect(stand.state.pairs.wait("1:b", at: struck) == .zero)
        }
        let id = stand.ask(pair: "1:a")
        stand.run(until: stand.now + .seconds(2_000))
        stand.report(id)
        let again = stand.ask(pair: "1:a")
        stand.run(until: stand.now + .seconds(2_000))
        stand.report(again, .failed(.code(131_056)))
        #expect(stand.state.pairs.wait("1:a", at: stand.now) == .seconds(1), "an accepted message ends the row")
    }

    @Test func refusalsOfMessagesUnderWayCountOnce() {
        var stand = Stand()
        let ids = (0..<5).map { _ in stand.ask(pair: "1:a") }
        stand.run(until: .seconds(1))
        for id in ids { stand.report(id, .failed(.code(131_056))) }
        var pair = PairLimit(at: .zero)
        pair.refused(sentAt: .milliseconds(1), at: .seconds(1))
        #expect(pair.wait(at: .seconds(1)) == .seconds(1))
        #expect(stand.state.pairs.wait("1:a", at: stand.now) <= PairLimit.interval * 5)
    }

    @Test func longWaitIsRefusedWithItsTime() {
        var stand = Stand()
        for _ in 0..<45 { stand.ask(pair: "1:a") }
        stand.run(until: .seconds(5))
        let id = stand.ask(pair: "1:a")
        #expect(stand.refused[id]?.reason == .pair)
        #expect((stand.refused[id]?.retryAfter ?? .zero) > .seconds(250))
    }

    @Test func tableIsBoundedAndKeepsWhoOwesMost() {
        var table = PairTable(capacity: 100)
        for _ in 0..<45 { table.take("debtor", at: .zero) }
        for index in 0..<10_000 {
            table.take("p\(index)", at: .milliseconds(index))
            #expect(table.count <= 100)
        }
        #expect(table.wait("debtor", at: .seconds(10)) > .seconds(200))
    }
}
