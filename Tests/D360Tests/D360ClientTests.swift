import D360
import EventLog
import HTTPTesting
import Testing
import WhatsApp

@Suite struct D360ClientTests {
    private func command(
        _ hosting: Hosting = .cloud, purpose: OutboundCommand.Purpose = .reply, route: OutboundCommand.Route = .messages,
        message: String = #"{"type":"text","text":{"body":"Hi"}}"#
    ) throws -> OutboundCommand {
        OutboundCommand(
            channel: ChannelIdentity(name: "shop", hosting: hosting, phoneNumberID: "700"), id: "c1", purpose: purpose,
            recipient: .to("15550001111"), conversationKey: "700:15550001111",
            message: try JSON(parsing: Array(message.utf8)), route: route, expiresAt: Timestamp(seconds: 10),
            requestedAt: Timestamp(seconds: 1))
    }

    private func endpoint(
        _ server: LocalServer, _ hosting: Hosting = .cloud, marketing: Bool = true
    ) -> ChannelEndpoint {
        ChannelEndpoint(
            baseURL: server.url + "/", hosting: hosting, apiKey: APIKey("key-1"), usesMarketingMessages: marketing)
    }

    private static let accepted = Array(#"{"messages":[{"id":"wamid.1","message_status":"accepted"}]}"#.utf8)

    @Test func cloudCallCarriesKeyBodyAndTag() async throws {
        let server = try await LocalServer { _ in .answer(body: Self.accepted) }
        let client = D360Client(transport: HTTPTransport())
        let outcome = await client.send(try command(), to: endpoint(server))
        guard case .accepted(let receipt) = outcome else { return #expect(Bool(false), "\(outcome)") }
        #expect(receipt.messageID == "wamid.1")
        #expect(receipt.messageStatus == "accepted")
        let request = try #require(server.requests.first)
        #expect(request.method == "POST")
        #expect(request.path == "/messages")
        #expect(request.header("D360-API-KEY") == "key-1")
        #expect(request.header("Content-Type") == "application/json")
        let body = try JSON(parsing: request.body)
        #expect(body["messaging_product"]?.string == "whatsapp")
        #expect(body["to"]?.string == "15550001111")
        #expect(body["biz_opaque_callback_data"]?.string == "mr1:c1:700:15550001111")
        try await server.stop()
    }

    @Test func onPremiseCallHasItsOwnPathAndNoTag() async throws {
        let server = try await LocalServer { _ in .answer(status: 201, body: Self.accepted) }
        let client = D360Client(transport: HTTPTransport())
        let outcome = await client.send(try command(.onPremise), to: endpoint(server, .onPremise))
        guard case .accepted = outcome else { return #expect(Bool(false), "\(outcome)") }
        let request = try #require(server.requests.first)
        #expect(request.path == "/v1/messages")
        let body = try JSON(parsing: request.body)
        #expect(body["messaging_product"] == nil)
        #expect(body["biz_opaque_callback_data"] == nil)
        try await server.stop()
    }

    @Test func marketingTemplatesGoToTheirOwnEndpointWhenAskedAndEnabled() async throws {
        let server = try await LocalServer { _ in .answer(body: Self.accepted) }
        let client = D360Client(transport: HTTPTransport())
        let template = #"{"type":"template","template":{"name":"promo","language":{"code":"de"}}}"#
        let promotion = try command(purpose: .marketing, route: .marketingMessages, message: template)
        _ = await client.send(promotion, to: endpoint(server))
        _ = await client.send(promotion, to: endpoint(server, marketing: false))
        _ = await client.send(try command(purpose: .marketing, message: template), to: endpoint(server))
        #expect(server.requests.map(\.path) == ["/marketing_messages", "/messages", "/messages"])
        try await server.stop()
    }

    @Test func markAsReadIsAcceptedWithoutAMessageID() async throws {
        let mark = #"{"status":"read","message_id":"wamid.a/b=="}"#
        for (hosting, answer) in [(Hosting.cloud, #"{"success":true}"#), (.onPremise, ""), (.onPremise, "null")] {
            let server = try await LocalServer { _ in .answer(body: Array(answer.utf8)) }
            let client = D360Client(transport: HTTPTransport())
            let outcome = await client.send(try command(hosting, message: mark), to: endpoint(server, hosting))
            guard case .accepted(let receipt) = outcome else { return #expect(Bool(false), "\(outcome)") }
            #expect(receipt.messageID == nil)
            let request = try #require(server.requests.first)
            #expect(request.method == (hosting == .cloud ? "POST" : "PUT"))
            #expect(request.path == (hosting == .cloud ? "/messages" : "/v1/messages/wamid.a%2Fb%3D%3D"))
            try await server.stop()
        }
    }

    @Test(arguments: [
        (429, #"{"error":{"code":130429}}"#, "retry 130429 9.0 seconds"),
        (400, #"{"error":{"code":131047}}"#, "rejected 131047"),
        (401, #"{"error":"Unauthorized"}"#, "retry http-401 9.0 seconds"),
        (503, "<html>", "retry http-503 9.0 seconds"),
        (200, #"{"messages":[]}"#, "unknown no-message-id"),
        (200, "", "unknown no-message-id"),
        (200, #"{"error":{"code":131026}}"#, "rejected 131026"),
        (404, "", "rejected http-404"),
    ])
    func answersBecomeOutcomes(status: Int, body: String, expected: String) async throws {
        let server = try await LocalServer { _ in
            .answer(status: status, headers: [("Retry-After", "9")], body: Array(body.utf8))
        }
        let outcome = await D360Client(transport: HTTPTransport()).send(try command(), to: endpoint(server))
        let word =
            switch outcome {
            case .accepted(let receipt): "accepted \(receipt.messageID ?? "-")"
            case .rejected(let error): "rejected \(error.label)"
            case .retry(let error): "retry \(error.label) \(error.retryAfter.map(String.init(describing:)) ?? "-")"
            case .notSent(let error): "not sent \(error)"
            case .unknown(let reason): "unknown \(reason.rawValue)"
            }
        #expect(word == expected)
        try await server.stop()
    }

    @Test func lostAnswersAreUnknownAndLostConnectionsAreNotSent() async throws {
        let server = try await LocalServer { _ in .close }
        let client = D360Client(transport: HTTPTransport())
        #expect(await client.send(try command(), to: endpoint(server)) == .unknown(.cut))
        try await server.stop()
        let nobody = RefusingPort()
        let target = ChannelEndpoint(baseURL: nobody.url, hosting: .cloud, apiKey: APIKey("key-1"))
        guard case .notSent(let error) = await client.send(try command(), to: target) else {
            return #expect(Bool(false), "a refused connection is not sent")
        }
        #expect(error.code == .connect)
        withExtendedLifetime(nobody) {}
    }

    @Test func keyIsNotShown() {
        let endpoint = ChannelEndpoint(baseURL: "https://h", hosting: .cloud, apiKey: APIKey("hush"))
        var dumped = ""
        dump(endpoint, to: &dumped)
        let shown = "\(endpoint) \(endpoint.apiKey) \(String(reflecting: endpoint)) \(dumped)"
        #expect(!shown.contains("hush"))
    }
}
