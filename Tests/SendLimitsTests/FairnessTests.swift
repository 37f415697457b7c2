import EventLogTesting
import Testing
import WhatsApp

@testable import SendLimits

@Suite struct FairnessTests {
    /// A campaign of 100,000 on number 1, fed as fast as the limiter takes it; replies on number 2 now and then, and on
    /// number 1 as well. The API answers after 100 ms.
    @Test func campaignDoesNotDelayReplies() {
        for seed in UInt64(1)...3 {
            var random = SeededGenerator(seed: seed)
            var stand = Stand(SendLimitsConfiguration(defaultRate: 1_000))
            var left = 100_000
            var asked: [UInt64: (at: Duration, number: String)] = [:]
            var waits: [String: [Duration]] = [:]
            var seen = 0
            var answers = Queue<(id: UInt64, due: Duration)>()
            for step in 0..<20_000 {
                stand.run(until: .milliseconds(step))
                while let first = answers.first, first.due <= stand.now {
                    _ = answers.popFirst()
                    stand.report(first.id)
                }
                while left > 0, stand.state.lanes["1"]?.waitingBulk ?? 0 < 1_024 {
                    let id = stand.ask("1", .bulk)
                    if stand.refused[id] != nil { break }
                    left -= 1
                }
                for number in ["1", "2"] where Int.random(in: 0..<20, using: &random) == 0 {
                    asked[stand.ask(number)] = (stand.now, number)
                }
                for gone in stand.gone[seen...] {
                    answers.append((gone.id, gone.at + .milliseconds(100)))
                    if let ask = asked[gone.id] { waits[ask.number, default: []].append(gone.at - ask.at) }
                }
                seen = stand.gone.count
            }
            for number in ["1", "2"] {
                let sorted = waits[number, default: []].sorted()
                #expect(sorted.count > 800, "seed \(seed)")
                #expect(sorted[sorted.count * 99 / 100] <= .milliseconds(100), "seed \(seed), number \(number)")
            }
            #expect(stand.gone.count > 19_000, "the campaign itself goes on: seed \(seed)")
        }
    }

    @Test func slowNumberLeavesSlotsForOthers() {
        var stand = Stand(SendLimitsConfiguration(defaultRate: 1_000, maxInFlight: 100, maxInFlightPerNumber: 50))
        for _ in 0..<1_000 { stand.ask("1") }
        stand.run(until: .seconds(1))
        #expect(stand.state.flights.count == 50, "nobody answers")
        for _ in 0..<10 { stand.ask("2") }
        stand.run(until: .seconds(2))
        #expect(stand.state.flights.count == 60)
    }

    @Test func numbersTakeTurnsWhenSlotsAreScarce() {
        var stand = Stand(SendLimitsConfiguration(defaultRate: 1_000, maxInFlight: 1, maxInFlightPerNumber: 1))
        stand.run(until: .seconds(1))
        for number in ["1", "2", "3"] { for _ in 0..<20 { stand.ask(number) } }
        var order: [String] = []
        for _ in 0..<60 {
            stand.run(until: stand.now + .milliseconds(50))
            guard let id = stand.gone.last?.id, let flight = stand.state.flights[id] else { break }
            order.append(flight.admission.number)
            stand.report(id)
        }
        #expect(order.count == 60)
        for start in stride(from: 3, to: 57, by: 3) { #expect(Set(order[start..<start + 3]).count == 3) }
    }

    @Test func everyQueueIsBoundedAndBulkLeavesRoomForReplies() {
        let configuration = SendLimitsConfiguration(maxWaiting: 100, maxWaitingPerNumber: 40, maxNumbers: 5)
        var stand = Stand(configuration, share: 0)
        for number in ["1", "2", "3"] { for _ in 0..<100 { stand.ask(number, .bulk) } }
        #expect(stand.state.waiters.count == 50, "half of the room")
        for number in ["1", "2", "3"] { for _ in 0..<100 { stand.ask(number) } }
        #expect(stand.state.waiters.count == 100)
        #expect(stand.refused.values.allSatisfy { $0.reason == .full })
        stand.run(until: .seconds(21))
        #expect(stand.state.waiters.isEmpty)
        #expect(stand.refused.count == 600)
        for number in 4...20 { stand.ask("\(number)") }
        #expect(stand.state.lanes.count <= 5)
    }
}
