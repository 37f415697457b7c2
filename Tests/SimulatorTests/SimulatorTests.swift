import D360
import EventLog
import FoundationEssentials
import Logging
import Testing
import WhatsApp

@testable import Simulator

/// The simulator and a webhook, both on real sockets.
@Suite struct SimulatorTests {
    private struct Stand: Sendable {
        let simulator: Simulator
        let transport: HTTPTransport
        let base: String

        func request(
            _ method: String, _ path: String, _ body: String = "", key: String? = "key-1"
        ) async throws -> (status: Int, json: JSON) {
            let headers = key.map { [HTTPField("D360-API-KEY", $0)] } ?? []
            let answer = try await transport.perform(
                HTTPRequest(method: method, url: base + path, headers: headers, body: Array(body.utf8)))
            return (answer.status, try JSON(parsing: answer.body))
        }
    }

    private static let text = #"""
        {"messaging_product":"whatsapp","to":"15550001111","type":"text","text":{"body":"hi"},
        "biz_opaque_callback_data":"mr1:c:k"}
        """#

    /// Starts a simulator whose webhook is `url`; delays are short so that tests are.
    private func withSimulator(
        webhook url: String?, _ change: (inout SimulatorConfiguration) -> Void = { _ in },
        _ body: @escaping @Sendable (Stand) async throws -> Void
    ) async throws {
        let webhook = url.map { SimulatedWebhook(url: $0, headers: ["Authorization": "Basic dTpw"]) }
        var configuration = SimulatorConfiguration(
            numbers: [
                SimulatedNumber(apiKey: "key-1", webhook: webhook),
                SimulatedNumber(apiKey: "key-2", hosting: .onPremise, phoneNumberID: "2", webhook: webhook),
            ], seed: 11)
        configuration.port = 0
        configuration.customers.messagesPerSecond = 0
        configuration.responseDelay = .zero
        configuration.statuses.sentAfter = .milliseconds(1)
        configuration.statuses.deliveredAfter = .milliseconds(1)
        configuration.statuses.readAfter = .milliseconds(1)
        configuration.statuses.readShare = 1
        configuration.webhooks.redeliveryBase = .milliseconds(20)
        change(&configuration)
        var logger = Logger(label: "simulator-test")
        logger.logLevel = .critical
        let transport = HTTPTransport()
        let simulator = Simulator(configuration, transport: transport, logger: logger)
        try await whileRunning({ try await simulator.run() }) {
            let port = try await simulator.port()
            try await body(Stand(simulator: simulator, transport: transport, base: "http://127.0.0.1:\(port)"))
        }
        await transport.shutdown()
    }

    @Test func keyIsChecked() async throws {
        try await withSimulator(webhook: nil) { stand in
            for key in ["wrong", "", nil] {
                for (method, path) in [
                    ("POST", "/messages"), ("GET", "/v1/configs/webhook"), ("PUT", "/v1/messages/x"),
                ] {
                    let (status, json) = try await stand.request(method, path, Self.text, key: key)
                    #expect(status == 401)
                    #expect(json["meta"]?["http_code"]?.integer == 401)
                }
            }
            #expect(stand.simulator.report().sends.refused == ["401": 9])
            #expect(stand.simulator.report().sends.accepted == 0)
        }
    }

    @Test func faultsHaveTheHostingsShape() async throws {
        try await withSimulator(webhook: nil) { stand in
            let cloud = try await stand.request(
                "POST", "/messages", #"{"messaging_product":"whatsapp","to":"15550001111"}"#)
            #expect(cloud.status == 400)
            #expect(cloud.json["error"]?["code"]?.integer == 100)
            let onPremise = try await stand.request("POST", "/v1/messages", #"{"to":"15550001111"}"#, key: "key-2")
            #expect(onPremise.status == 400)
            #expect(onPremise.json["errors"]?.elements.first?["code"]?.integer == 1_008)
        }
    }

    @Test(arguments: [false, true]) func withheldAnswerLeavesTheCallerWithoutOne(isSilent: Bool) async throws {
        try await withSimulator(
            webhook: nil,
            {
                $0.faults.cutAnswers = isSilent ? 0 : 1
                $0.faults.silentAnswers = isSilent ? 1 : 0
                $0.faults.silence = .seconds(60)
            }
        ) { stand in
            let request = HTTPRequest(
                url: stand.base + "/messages", headers: [HTTPField("D360-API-KEY", "key-1")],
                body: Array(Self.text.utf8), timeout: isSilent ? .seconds(1) : nil)
            let error = await #expect(throws: TransportError.self) { _ = try await stand.transport.perform(request) }
            #expect(error?.code == (isSilent ? .timeout : .cut))
            #expect(error?.delivery == .unknown)
            #expect(stand.simulator.report().sends.accepted == 1, "the message is on its way all the same")
            let commands = try await stand.request("GET", "/simulator/commands", key: nil)
            #expect(commands.json["c"]?.integer == 1)
        }
    }

    @Test func sendBringsStatusesInOrderWithTheTag() async throws {
        let receiver = WebhookReceiver()
        try await receiver.serve { port in
            try await withSimulator(webhook: "http://127.0.0.1:\(port)/webhooks/shop") { stand in
                let answer = try await stand.request("POST", "/messages", Self.text)
                #expect(answer.status == 200)
                let id = try #require(answer.json["messages"]?.elements.first?["id"]?.string)
                #expect(answer.json["contacts"]?.elements.first?["wa_id"]?.string == "15550001111")
                try await eventually("three statuses") { receiver.statuses.count == 3 }
                #expect(receiver.statuses.map { $0["status"]?.string } == ["sent", "delivered", "read"])
                #expect(receiver.statuses.allSatisfy { $0["id"]?.string == id })
                #expect(receiver.statuses.allSatisfy { $0["biz_opaque_callback_data"]?.string == "mr1:c:k" })
                #expect(
                    receiver.requests.allSatisfy { $0.authorization == "Basic dTpw" && $0.path == "/webhooks/shop" })
            }
        }
    }

    @Test func onPremiseSendIsAnsweredAndReported() async throws {
        let receiver = WebhookReceiver()
        try await receiver.serve { port in
            try await withSimulator(webhook: "http://127.0.0.1:\(port)/hook") { stand in
                let body = #"{"to":"15550001111","type":"text","text":{"body":"x"}}"#
                let answer = try await stand.request("POST", "/v1/messages", body, key: "key-2")
                #expect(answer.json["meta"]?["api_status"]?.string == "stable")
                try await eventually("three statuses") { receiver.statuses.count == 3 }
                #expect(receiver.requests.allSatisfy { $0.body["entry"] == nil })
                let read = try await stand.request("PUT", "/v1/messages/gBEGx", #"{"status":"read"}"#, key: "key-2")
                #expect(read.status == 200)
                #expect(stand.simulator.report().sends.markedAsRead == 1)
            }
        }
    }

    @Test func customersMessageIsRedeliveredUntil200() async throws {
        let receiver = WebhookReceiver(answers: [503, 204, 500])
        try await receiver.serve { port in
            try await withSimulator(webhook: "http://127.0.0.1:\(port)/hook") { stand in
                let path = "/simulator/customers/15550001111/messages"
                let answer = try await stand.request("POST", path, #"{"text":"hello","name":"Ana"}"#, key: nil)
                let id = try #require(answer.json["id"]?.string)
                try await eventually("an acknowledged message") { stand.simulator.report().customers.acknowledged == 1 }
                #expect(receiver.requests.count == 4)
                for request in receiver.requests {
                    let value = request.body["entry"]?.elements.first?["changes"]?.elements.first?["value"]
                    #expect(value?["messages"]?.elements.first?["id"]?.string == id)
                    #expect(value?["contacts"]?.elements.first?["profile"]?["name"]?.string == "Ana")
                }
                #expect(stand.simulator.report().webhooks.redeliveries == 3)
            }
        }
    }

    @Test func webhookIsSetOverTheAPI() async throws {
        let receiver = WebhookReceiver()
        try await receiver.serve { port in
            try await withSimulator(webhook: nil) { stand in
                // Written before there is a webhook: waits, and is not lost.
                _ = stand.simulator.write("hello", from: "15550001111")
                #expect(try await stand.request("GET", "/v1/configs/webhook").json["url"]?.isNull == true)
                let body = #"{"url":"http://127.0.0.1:\#(port)/webhooks/new","headers":{"Authorization":"Basic eDp5"}}"#
                #expect(try await stand.request("POST", "/v1/configs/webhook", body).status == 200)
                let now = try await stand.request("GET", "/v1/configs/webhook").json
                #expect(now["url"]?.string == "http://127.0.0.1:\(port)/webhooks/new")
                #expect(now["headers"]?["Authorization"]?.string == "Basic eDp5")
                try await eventually("the waiting message") { receiver.requests.count == 1 }
                #expect(receiver.requests[0].authorization == "Basic eDp5")
                #expect(receiver.requests[0].path == "/webhooks/new")
                let refused = try await stand.request("POST", "/v1/configs/webhook", #"{"url":"ftp://x"}"#)
                #expect(refused.status == 400)
            }
        }
    }

    @Test func reportAndReceivedMessagesAreReadOverHTTP() async throws {
        let receiver = WebhookReceiver()
        try await receiver.serve { port in
            try await withSimulator(webhook: "http://127.0.0.1:\(port)/hook") { stand in
                let id = try #require(stand.simulator.write("hello", from: "15550001111"))
                let reply = Self.text.replacing(#""type""#, with: #""context":{"message_id":"\#(id)"},"type""#)
                #expect(try await stand.request("POST", "/messages", reply).status == 200)
                #expect(try await stand.request("POST", "/messages", reply).status == 200)
                try await eventually("everything answered") { stand.simulator.report().webhooks.waiting == 0 }

                let json = try await stand.request("GET", "/simulator/report", key: nil).json
                let report = try JSONDecoder().decode(SimulatorReport.self, from: Data(json.bytes))
                #expect(report == stand.simulator.report())
                #expect(report.customers.replied == 1)
                #expect(report.customers.unanswered == 0)
                #expect(report.sends.duplicates == 1)
                #expect(report.webhooks.acknowledged == 7)

                let path = "/simulator/customers/15550001111/messages"
                let received = try await stand.request("GET", path, key: nil).json.elements
                #expect(received.map { $0["quotes"]?.string } == [id, id])
                #expect(received.map { $0["text"]?.string } == ["hi", "hi"])
            }
        }
    }

    @Test func customersWriteByThemselves() async throws {
        let receiver = WebhookReceiver()
        try await receiver.serve { port in
            let change: @Sendable (inout SimulatorConfiguration) -> Void = {
                $0.customers.messagesPerSecond = 500
                $0.customers.messageLimit = 40
            }
            try await withSimulator(webhook: "http://127.0.0.1:\(port)/hook", change) { stand in
                try await eventually("forty messages") { stand.simulator.report().customers.acknowledged == 40 }
                #expect(stand.simulator.report().customers.written == 40)
                // Half of the customers write to each number, and only one of these is on-premise.
                #expect(receiver.requests.count { $0.body["entry"] != nil } == 20)
            }
        }
    }

    @Test func portInUseIsAnError() async throws {
        try await withSimulator(webhook: nil) { stand in
            let port = try await stand.simulator.port()
            var configuration = SimulatorConfiguration(numbers: [SimulatedNumber(apiKey: "k")])
            configuration.port = port
            var logger = Logger(label: "simulator-test")
            logger.logLevel = .critical
            let second = Simulator(configuration, transport: stand.transport, logger: logger)
            await #expect(throws: (any Error).self) { try await second.run() }
            await #expect(throws: (any Error).self) { try await second.port() }
        }
    }
}
