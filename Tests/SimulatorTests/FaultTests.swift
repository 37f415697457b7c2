import EventLog
import Testing
import WhatsApp

@testable import Simulator

/// Limits and faults, with time moved by hand.
@Suite struct FaultTests {
    private let start = Timestamp(seconds: 1_790_000_000)

    private func state(_ change: (inout SimulatorConfiguration) -> Void) -> SimulatorState {
        let webhook = SimulatedWebhook(url: "http://127.0.0.1:1/webhooks/shop")
        var configuration = SimulatorConfiguration(
            numbers: [
                SimulatedNumber(apiKey: "key-1", phoneNumberID: "1", wabaID: "a", webhook: webhook),
                SimulatedNumber(apiKey: "key-2", phoneNumberID: "2", wabaID: "a", webhook: webhook),
                SimulatedNumber(apiKey: "key-3", hosting: .onPremise, phoneNumberID: "3", wabaID: "b", webhook: webhook),
            ], seed: 7)
        configuration.customers.messagesPerSecond = 0
        configuration.statuses.readShare = 1
        change(&configuration)
        return SimulatorState(configuration, start: start)
    }

    private func text(to: String = "15550001111", command: String = "c1") -> [UInt8] {
        Array(
            #"""
            {"messaging_product":"whatsapp","to":"\#(to)","type":"text","text":{"body":"hi"},
            "biz_opaque_callback_data":"mr1:\#(command):k"}
            """#.utf8)
    }

    /// The code that the catalogue reads from the answer; nil when it was accepted.
    private func code(_ answer: APIAnswer, _ hosting: Hosting = .cloud) -> Int64? {
        if answer.status == 200 { return nil }
        return ErrorCatalogue.classify(httpStatus: answer.status, body: answer.body, hosting: hosting).code
    }

    @Test func numberTakesItsRateAndRefusesTheRest() {
        var state = state { $0.limits.numberRate = 80 }
        var accepted = 0
        for step in 0..<10_000 {
            let answer = state.send(text(to: "1555\(step)0000"), number: 0, at: start + .milliseconds(step))
            if answer.status == 200 { accepted += 1 } else { #expect(code(answer) == 130_429) }
        }
        #expect((800...821).contains(accepted), "80 a second for 10 s, and a quarter of a second at once")
        let other = state.send(text(), number: 1, at: start + .seconds(10))
        #expect(other.status == 200)
        #expect(state.report().sends.refusedCodes == ["130429": 10_000 - accepted])
    }

    @Test func inboundMessagesCountAgainstTheNumber() {
        var state = state { $0.limits.numberRate = 80 }
        for _ in 0..<20 {
            _ = state.inject("x", phone: "15550001111", name: "A", number: 0, expectsReply: false, at: start)
        }
        let answer = state.send(text(), number: 0, at: start)
        #expect(code(answer) == 130_429)
    }

    @Test func numbersOfAnAccountShareItsLimit() {
        var state = state { $0.limits.accountRate = 40 }
        for index in 0..<10 { _ = state.send(text(to: "1555000\(index)000"), number: index % 2, at: start) }
        let answer = state.send(text(), number: 1, at: start)
        #expect(code(answer) == 80_007)
    }

    @Test func pairMayBurstAndPaysBack() {
        var state = state { $0.limits.limitsPairs = true }
        var answer = state.send(text(), number: 0, at: start)
        for _ in 1..<45 { answer = state.send(text(), number: 0, at: start) }
        #expect(code(answer) == nil)
        answer = state.send(text(), number: 0, at: start)
        #expect(code(answer) == 131_056)
        answer = state.send(text(to: "15550002222"), number: 0, at: start)
        #expect(code(answer) == nil)
        answer = state.send(text(), number: 1, at: start)
        #expect(code(answer) == nil, "another number's pair")
        answer = state.send(text(), number: 0, at: start + .seconds(269))
        #expect(code(answer) == 131_056)
        answer = state.send(text(), number: 0, at: start + .seconds(270))
        #expect(code(answer) == nil)
    }

    @Test func heldNumberAndMaintenanceRefuseWithTheHostingsCode() {
        var held = state {
            $0.numbers[0].isHeld = true
            $0.numbers[2].isHeld = true
        }
        var answer: APIAnswer
        answer = held.send(text(), number: 0, at: start)
        #expect(code(answer) == 131_031)
        answer = held.send(text(), number: 1, at: start)
        #expect(code(answer) == nil)
        answer = held.send(text(), number: 2, at: start)
        #expect(code(answer, .onPremise) == 402)
        var busy = state {
            $0.faults.maintenanceEvery = .seconds(60)
            $0.faults.maintenanceLength = .seconds(10)
        }
        answer = busy.send(text(), number: 0, at: start + .seconds(49))
        #expect(code(answer) == nil)
        answer = busy.send(text(), number: 0, at: start + .seconds(55))
        #expect(code(answer) == 131_057)
        answer = busy.send(text(), number: 2, at: start + .seconds(55))
        #expect(code(answer, .onPremise) == 1_011)
        answer = busy.send(text(), number: 0, at: start + .seconds(61))
        #expect(code(answer) == nil)
    }

    @Test func withheldAnswersAreCountedAndTheirMessagesDelivered() {
        var state = state {
            $0.faults.cutAnswers = 0.01
            $0.faults.silentAnswers = 0.01
        }
        var fates: [String: Int] = [:]
        for index in 0..<20_000 {
            let answer = state.send(text(command: "c\(index)"), number: 0, at: start)
            fates["\(answer.fate)".prefix(3).lowercased(), default: 0] += 1
        }
        // 200 each expected; five standard deviations are 71.
        #expect((130...270).contains(fates["cut", default: 0]))
        #expect((130...270).contains(fates["sil", default: 0]))
        let sends = state.report().sends
        #expect(sends.withheldAnswers == fates["cut"]! + fates["sil"]!)
        #expect(sends.commands.delivered == 20_000)
        #expect(sends.commands.moreThanOnce == 0)
    }

    @Test func oracleCountsEachCommandsDeliveries() {
        var state = state { _ in }
        for (command, times) in [("once", 1), ("twice", 2), ("thrice", 3)] {
            for _ in 0..<times { _ = state.send(text(command: command), number: 0, at: start) }
        }
        // A refused one was not delivered.
        _ = state.send(Array("{}".utf8), number: 0, at: start)
        let counts = Dictionary(uniqueKeysWithValues: state.deliveries().map { ($0.command, $0.times) })
        #expect(counts == ["once": 1, "twice": 2, "thrice": 3])
        let commands = state.report().sends.commands
        #expect(commands.delivered == 3 && commands.moreThanOnce == 2 && commands.most == 3 && commands.forgotten == 0)
    }

    @Test func statusesAreLostLateAndDoubledByTheirShares() throws {
        func statuses(_ change: (inout SimulatorConfiguration) -> Void) throws -> [(word: String, at: Duration)] {
            var state = state(change)
            for index in 0..<1_000 { _ = state.send(text(command: "c\(index)"), number: 0, at: start) }
            var seen: [(String, Duration)] = []
            for step in 0..<1_000 {
                let now = start + .milliseconds(step * 50)
                for call in state.tick(now) {
                    if case .status(let plan) = call.delivery.event { seen.append((plan.steps.first!.status, now - start)) }
                    state.called(call.delivery, status: 200, took: .zero, at: now)
                }
            }
            #expect(state.report().webhooks.waiting == 0)
            #expect(state.report().webhooks.events + state.report().webhooks.lost >= 3_000)
            return seen
        }
        let (plain, none) = (try statuses { _ in }, try statuses { $0.faults.lostStatuses = 1 })
        #expect(plain.count == 3_000)
        #expect(none.isEmpty)
        // 600 expected of 3,000; five standard deviations are 110.
        let (lossy, doubled) = (
            try statuses { $0.faults.lostStatuses = 0.2 }, try statuses { $0.faults.duplicateStatuses = 0.2 }
        )
        #expect((2_290...2_510).contains(lossy.count))
        #expect((3_490...3_710).contains(doubled.count))
        let late = try statuses {
            $0.faults.lateStatuses = 0.2
            $0.faults.lateBy = .seconds(10)
        }
        #expect(late.count == 3_000)
        #expect((90...310).contains(late.filter { $0.word == "sent" && $0.at >= .seconds(10) }.count))
    }

    @Test func oneSeedGivesTheSameFaults() {
        func fates(_ seed: UInt64) -> [APIAnswer.Fate] {
            var state = state {
                $0.seed = seed
                $0.faults.cutAnswers = 0.3
            }
            return (0..<200).map { state.send(text(command: "c\($0)"), number: 0, at: start).fate }
        }
        #expect(fates(1) == fates(1))
        #expect(fates(1) != fates(2))
    }
}
