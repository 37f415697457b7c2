import Testing
import WhatsApp

@testable import Ingress

@Suite struct HandshakeTests {
    private static let channels = [
        IngressChannel(
            identity: .init(name: "meta", hosting: .cloud), authentication: [.signature(.meta, secret: "s")],
            verifyTokens: ["old token", "new-token"]),
        IngressChannel(identity: .init(name: "shop", hosting: .cloud), authentication: TestIngress.shopLogin),
    ]

    private func get(_ target: String) -> [UInt8] { Array("GET \(target) HTTP/1.1\r\nHost: a\r\n\r\n".utf8) }

    @Test(arguments: ["new-token", "old%20token", "old+token"])
    func everyValidTokenGetsItsChallengeBackAsPlainText(_ token: String) async throws {
        try await withIngress(TestProducer(), configure: { $0.channels.named = Self.channels }) { ingress in
            let client = try await ingress.connect()
            for challenge in ["1158201444", "a%2Fb"] {
                let query = "hub.mode=subscribe&hub.challenge=\(challenge)&hub.verify_token=\(token)"
                try await client.send(get("/webhooks/meta?\(query)"))
                let response = try await client.response()
                #expect(response.status == 200)
                #expect(response.headers["content-type"] == "text/plain")
                #expect(response.body == (challenge == "a%2Fb" ? "a/b" : challenge))
            }
            #expect(ingress.server.metrics.stored == 0)
        }
    }

    @Test(arguments: [
        ("/webhooks/meta?hub.mode=subscribe&hub.verify_token=wrong&hub.challenge=77", 403),
        ("/webhooks/meta?hub.mode=subscribe&hub.verify_token=&hub.challenge=77", 403),
        ("/webhooks/meta?hub.mode=subscribe&hub.challenge=77", 403),
        ("/webhooks/meta?hub.mode=unsubscribe&hub.verify_token=new-token&hub.challenge=77", 403),
        ("/webhooks/meta?hub.mode=subscribe&hub.verify_token=new-token%2&hub.challenge=77", 403),
        // One without tokens, and one that does not exist: not to be told apart.
        ("/webhooks/shop?hub.mode=subscribe&hub.verify_token=new-token&hub.challenge=77", 403),
        ("/webhooks/nobody?hub.mode=subscribe&hub.verify_token=new-token&hub.challenge=77", 403),
        ("/webhooks?hub.mode=subscribe&hub.verify_token=new-token&hub.challenge=77", 403),
        // What would not be plain text.
        ("/webhooks/meta?hub.mode=subscribe&hub.verify_token=new-token&hub.challenge=7%0D%0A7", 400),
        ("/webhooks/meta?hub.mode=subscribe&hub.verify_token=new-token&hub.challenge=", 400),
        // Another GET.
        ("/webhooks/meta", 405), ("/webhooks/meta?a=b", 405), ("/webhooks/meta?hub.verify_token=new-token", 405),
        ("/other?hub.mode=subscribe&hub.verify_token=new-token&hub.challenge=77", 404),
    ])
    func everythingElseIsRefusedWithoutAWordOfIt(_ target: String, _ status: Int) async throws {
        try await withIngress(TestProducer(), configure: { $0.channels.named = Self.channels }) { ingress in
            let response = try await ingress.answer(to: get(target))
            #expect(response.status == status)
            #expect(!response.body.contains("77"))
        }
    }

    @Test func aLongChallengeIsRefused() async throws {
        try await withIngress(TestProducer(), configure: { $0.channels.named = Self.channels }) { ingress in
            let query = "hub.mode=subscribe&hub.verify_token=new-token&hub.challenge="
            for (length, status) in [(256, 200), (257, 400)] {
                let challenge = String(repeating: "7", count: length)
                try await ingress.expect(status, to: get("/webhooks/meta?\(query)\(challenge)"))
            }
        }
    }

    @Test func aHandshakeThatBringsABodyDoesNotConfuseTheConnection() async throws {
        try await withIngress(TestProducer(), configure: { $0.channels.named = Self.channels }) { ingress in
            let client = try await ingress.connect()
            let target = "/webhooks/meta?hub.mode=subscribe&hub.verify_token=new-token&hub.challenge=77"
            try await client.send("GET \(target) HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nabcde")
            #expect(try await client.response().body == "77")
            try await client.send(post(message("wamid.1")))
            #expect(try await client.response().status == 200)
        }
    }
}
