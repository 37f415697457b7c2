import EventLog
import Testing
import WhatsApp

@testable import Simulator

/// Time moves by hand here: every step is told the moment it happens.
@Suite struct SimulatorStateTests {
    private let start = Timestamp(seconds: 1_790_000_000)

    private func configuration(_ change: (inout SimulatorConfiguration) -> Void = { _ in }) -> SimulatorConfiguration {
        let number = SimulatedNumber(
            apiKey: "key-1", webhook: SimulatedWebhook(url: "http://127.0.0.1:1/webhooks/shop"))
        var configuration = SimulatorConfiguration(numbers: [number], seed: 7)
        configuration.customers.messagesPerSecond = 0
        configuration.statuses.readShare = 1
        change(&configuration)
        return configuration
    }

    private func text(_ body: String = "hi", to: String = "15550001111", more: String = "") -> [UInt8] {
        Array(#"{"messaging_product":"whatsapp","to":"\#(to)","type":"text","text":{"body":"\#(body)"}\#(more)}"#.utf8)
    }

    /// Runs until nothing is due for an hour, answering each call as told. Returns the bodies called, in order.
    private func run(
        _ state: inout SimulatorState, from now: Timestamp, step: Duration = .milliseconds(10), for span: Duration,
        answer: (JSON, Int) -> Int?
    ) throws -> [JSON] {
        var bodies: [JSON] = []
        var now = now
        let end = now + span
        while now <= end {
            for call in state.tick(now) {
                let body = try JSON(parsing: call.delivery.body)
                bodies.append(body)
                state.called(
                    call.delivery, status: answer(body, call.delivery.attempts), took: .milliseconds(3), at: now)
            }
            now = now + step
        }
        return bodies
    }

    private func value(_ body: JSON) -> JSON { body["entry"]!.elements[0]["changes"]!.elements[0]["value"]! }
    private func statuses(_ bodies: [JSON]) -> [JSON] { bodies.compactMap { value($0)["statuses"]?.elements.first } }

    @Test func acceptedMessageGetsSentDeliveredReadWithItsTag() throws {
        var state = SimulatorState(configuration(), start: start)
        let answer = state.send(text(more: #","biz_opaque_callback_data":"mr1:c1:k""#), number: 0, at: start)
        #expect(answer.status == 200)
        let id = try #require(try JSON(parsing: answer.body)["messages"]?.elements[0]["id"]?.string)
        #expect(id.hasPrefix("wamid."))

        let bodies = try run(&state, from: start, for: .seconds(5)) { _, _ in 200 }
        let statuses = statuses(bodies)
        #expect(statuses.map { $0["status"]?.string } == ["sent", "delivered", "read"])
        #expect(statuses.allSatisfy { $0["biz_opaque_callback_data"]?.string == "mr1:c1:k" && $0["id"]?.string == id })
        #expect(statuses.allSatisfy { $0["recipient_id"]?.string == "15550001111" })
        #expect(statuses[0]["pricing"]?["category"]?.string == "service")
        #expect(statuses[2]["pricing"] == nil)
        #expect(value(bodies[0])["metadata"]?["phone_number_id"]?.string == "700100200300501")
        #expect(state.report().webhooks.waiting == 0)
    }

    @Test func onPremiseStatusesLieAtTheTopWithoutTag() throws {
        var state = SimulatorState(configuration { $0.numbers[0].hosting = .onPremise }, start: start)
        let body = #"{"to":"15550001111","recipient_type":"individual","type":"text","text":{"body":"x"}}"#
        let answer = state.send(Array(body.utf8), number: 0, at: start)
        #expect(answer.status == 200)
        let bodies = try run(&state, from: start, for: .seconds(5)) { _, _ in 200 }
        #expect(bodies.count == 3)
        for body in bodies {
            #expect(body["entry"] == nil)
            let status = try #require(body["statuses"]?.elements.first)
            #expect(status["id"]?.string?.hasPrefix("gBEG") == true)
            #expect(status["biz_opaque_callback_data"] == nil)
        }
        #expect(bodies[0]["statuses"]?.elements[0]["conversation"]?["origin"]?["type"]?.string == "user_initiated")
    }

    @Test func eventsAreCalledAgainUntilAnswered200() throws {
        var state = SimulatorState(configuration(), start: start)
        let written = state.inject(
            "hello", phone: "15550001111", name: "Ana", number: 0, expectsReply: true, at: start)
        let id = try #require(written)
        let answers: [Int?] = [503, nil, 201, 302, 200]
        let bodies = try run(&state, from: start, for: .seconds(60)) { _, attempt in answers[attempt - 1] }
        #expect(bodies.count == 5)
        #expect(Set(bodies.map { value($0)["messages"]?.elements[0]["id"]?.string }) == [id])
        let report = state.report()
        #expect(report.webhooks.attempts == 5)
        #expect(report.webhooks.redeliveries == 4)
        #expect(report.webhooks.acknowledged == 1)
        #expect(report.webhooks.answers == ["503": 1, "none": 1, "201": 1, "302": 1, "200": 1])
        #expect(report.customers.acknowledged == 1)
    }

    @Test func redeliveryBacksOffAndEndsWithAge() throws {
        var state = SimulatorState(
            configuration {
                $0.webhooks.redeliveryBase = .seconds(1)
                $0.webhooks.redeliveryCap = .seconds(8)
                $0.webhooks.redeliveryAge = .seconds(60)
            }, start: start)
        _ = state.inject("hello", phone: "15550001111", name: "Ana", number: 0, expectsReply: true, at: start)
        let bodies = try run(&state, from: start, step: .milliseconds(100), for: .seconds(300)) { _, _ in 500 }
        // Delays of 0.5-1, 1-2, 2-4 and then 4-8 seconds: between 10 and 18 calls in the first minute.
        #expect((10...18).contains(bodies.count))
        let report = state.report()
        #expect(report.webhooks.abandoned == 1)
        #expect(report.webhooks.waiting == 0)
    }

    @Test func aFailingStatusDoesNotHoldUpTheNext() throws {
        var state = SimulatorState(configuration { $0.webhooks.redeliveryBase = .seconds(20) }, start: start)
        _ = state.send(text(), number: 0, at: start)
        let bodies = try run(&state, from: start, for: .seconds(60)) { body, attempt in
            statuses([body])[0]["status"]?.string == "sent" && attempt == 1 ? 503 : 200
        }
        #expect(statuses(bodies).map { $0["status"]?.string } == ["sent", "delivered", "read", "sent"])
    }

    @Test func fullQueueHoldsCustomersBackAndRefusesSends() throws {
        var state = SimulatorState(
            configuration {
                $0.webhooks.queueLimit = 4
                $0.customers.messagesPerSecond = 10
            }, start: start)
        let accepted = state.send(text(), number: 0, at: start)  // takes three
        #expect(accepted.status == 200)
        _ = state.tick(start + .seconds(10))
        #expect(state.report().customers.written == 1)
        #expect(state.report().customers.heldBack > 50)
        let refused = state.send(text(), number: 0, at: start + .seconds(10))
        #expect(refused.status == 503)
        #expect(try JSON(parsing: refused.body)["error"]?["code"]?.integer == 2)
        #expect(state.report().webhooks.waiting == 4)
    }

    @Test func callsUnderWayAreBounded() {
        var state = SimulatorState(configuration { $0.webhooks.concurrency = 3 }, start: start)
        for _ in 0..<10 {
            _ = state.inject("x", phone: "15550001111", name: "A", number: 0, expectsReply: true, at: start)
        }
        let first = state.tick(start)
        #expect(first.count == 3)
        let none = state.tick(start)
        #expect(none.isEmpty)
        state.called(first[0].delivery, status: 200, took: .zero, at: start)
        let next = state.tick(start)
        #expect(next.count == 1)
    }

    @Test func oneSeedGivesOneRun() throws {
        func bodies(seed: UInt64) throws -> [[UInt8]] {
            let configuration = configuration {
                $0.seed = seed
                $0.customers.messagesPerSecond = 50
            }
            var state = SimulatorState(configuration, start: start)
            return try run(&state, from: start, for: .seconds(4)) { _, _ in 200 }.map { Array($0.bytes) }
        }
        let one = try bodies(seed: 1)
        #expect(one.count > 100)
        let (same, other) = (try bodies(seed: 1), try bodies(seed: 2))
        #expect(same == one)
        #expect(other != one)
        #expect(Set(one).count == one.count)
    }

    @Test func customersWriteInTurnAtTheGivenRateUpToTheLimit() throws {
        let configuration = configuration {
            $0.customers.messagesPerSecond = 200
            $0.customers.count = 100
            $0.customers.messageLimit = 25_000
        }
        var state = SimulatorState(configuration, start: start)
        var senders: [String: Int] = [:]
        for body in try run(&state, from: start, for: .seconds(60), answer: { _, _ in 200 }) {
            let message = try #require(value(body)["messages"]?.elements[0])
            let from = try #require(message["from"]?.string)
            #expect(value(body)["contacts"]?.elements[0]["wa_id"]?.string == from)
            senders[from, default: 0] += 1
        }
        // 12,000 expected; five standard deviations of a Poisson process are 548.
        #expect((11_452...12_548).contains(state.report().customers.written))
        #expect(senders.count == 100)
        #expect(senders.values.max()! - senders.values.min()! <= 1)
        _ = try run(&state, from: start + .seconds(60), for: .seconds(120)) { _, _ in 200 }
        #expect(state.report().customers.written == 25_000)
    }

    @Test func customersTapReactAndSendPhotos() throws {
        let configuration = configuration {
            $0.customers.messagesPerSecond = 100
            $0.customers.count = 1
        }
        var state = SimulatorState(configuration, start: start)
        let buttons = #"""
            {"messaging_product":"whatsapp","to":"15551000000","type":"interactive","interactive":{"type":"button",
            "body":{"text":"Choose"},"action":{"buttons":[{"type":"reply","reply":{"id":"yes","title":"Yes"}}]}}}
            """#
        let answer = state.send(Array(buttons.utf8), number: 0, at: start)
        #expect(answer.status == 200)
        var types: [String: Int] = [:]
        for body in try run(&state, from: start, for: .seconds(20), answer: { _, _ in 200 }) {
            guard let message = value(body)["messages"]?.elements.first else { continue }
            types[message["type"]!.string!, default: 0] += 1
            if message["type"]?.string == "interactive" {
                #expect(message["interactive"]?["button_reply"]?["id"]?.string == "yes")
                #expect(message["context"]?["id"]?.string?.hasPrefix("wamid.") == true)
            }
        }
        #expect(Set(types.keys) == ["text", "image", "reaction", "interactive"])
        #expect(types["text"]! > types["interactive"]!)
    }

    @Test func repliesDoublesAndSilenceAreBooked() throws {
        var state = SimulatorState(configuration(), start: start)
        func write(_ text: String, _ phone: String, _ expects: Bool = true) -> String {
            state.inject(text, phone: phone, name: "A", number: 0, expectsReply: expects, at: start)!
        }
        let quoted = write("hello", "15550001111")
        let plain = write("price", "15550002222")
        let open = write("anyone?", "15550003333")
        _ = write("thanks", "15550003333", false)

        func send(_ to: String, _ more: String, _ after: Duration) {
            let answer = state.send(text(to: to, more: more), number: 0, at: start + after)
            #expect(answer.status == 200)
        }
        send(
            "15550001111", #","context":{"message_id":"\#(quoted)"},"biz_opaque_callback_data":"mr1:a:k""#, .seconds(1))
        send("+1 555 000 2222", #","biz_opaque_callback_data":"mr1:b:k""#, .seconds(2))
        #expect(state.report().sends.duplicates == 0)
        send(
            "15550001111", #","context":{"message_id":"\#(quoted)"},"biz_opaque_callback_data":"mr1:a:k""#, .seconds(3))
        send("15550009999", "", .seconds(4))

        let report = state.report()
        #expect(report.sends.accepted == 4)
        #expect(report.sends.tagged == 3)
        #expect(report.sends.duplicates == 1)
        #expect(report.customers.expectingReply == 3)
        #expect(report.customers.replied == 2)
        #expect(report.customers.unanswered == 1)
        #expect(report.customers.unansweredIDs == [open])
        #expect(report.customers.repeatedReplies == 1)
        #expect(report.customers.unprompted == 1)
        #expect(report.customers.replyLatency.count == 2)
        #expect(report.customers.replyLatency.maxMs == 2_000)
        #expect(plain != quoted)
        let received = state.received(phone: "15550001111")
        #expect(received.map(\.quotes) == [quoted, quoted])
        #expect(received.map(\.text) == ["hi", "hi"])
    }
}
