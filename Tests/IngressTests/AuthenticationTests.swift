import Testing
import WhatsApp

@testable import Ingress

@Suite struct AuthenticationTests {
    @Test(arguments: [
        ("/webhooks/shop", "Authorization: Basic dGVzdHVzZXI6dGVzdHBhc3M=\r\n"),
        ("/webhooks/shop", "authorization: basic   dGVzdHVzZXI6dGVzdHBhc3M=\r\n"),
        ("/webhooks", "Authorization: Basic dGVzdHVzZXI6dGVzdHBhc3M=\r\n"),
        ("/webhooks/secret", "x-webhook-SECRET: s3cret-value\r\n"),
        ("/webhooks/open", ""),
        ("http://hooks.example/webhooks/open?source=360", ""),
    ])
    func theRightCredentialsAreTaken(_ path: String, _ header: String) async throws {
        try await withIngress(TestProducer()) { ingress in
            let response = try await ingress.answer(to: post(message("wamid.1"), to: path, headers: header))
            #expect(response.status == 200)
        }
    }

    @Test(arguments: [
        ("/webhooks/shop", ""),
        ("/webhooks/shop", "Authorization: Basic dGVzdHVzZXI6dGVzdHBhc3N=\r\n"),
        ("/webhooks/shop", "Authorization: Basic dGVzdHVzZXI6dGVzdHBhc3M\r\n"),
        ("/webhooks/shop", "Authorization: Basic dGVzdHVzZXI6dGVzdHBhc3M=dGVzdHVzZXI6dGVzdHBhc3M=\r\n"),
        ("/webhooks/shop", "Authorization: Basic \r\n"),
        ("/webhooks/shop", "Authorization: Bearer dGVzdHVzZXI6dGVzdHBhc3M=\r\n"),
        ("/webhooks/shop", "X-Webhook-Secret: s3cret-value\r\n"),
        ("/webhooks", ""),
        ("/webhooks/secret", "X-Webhook-Secret: s3cret-valuf\r\n"),
        ("/webhooks/secret", "X-Webhook-Secret: s3cret-valu\r\n"),
        ("/webhooks/secret", "X-Webhook-Secret:\r\n"),
        ("/webhooks/secret", "Authorization: Basic dGVzdHVzZXI6dGVzdHBhc3M=\r\n"),
        ("/webhooks/nobody", "Authorization: Basic dGVzdHVzZXI6dGVzdHBhc3M=\r\n"),
        ("/webhooks/SHOP", "Authorization: Basic dGVzdHVzZXI6dGVzdHBhc3M=\r\n"),
        ("/webhooks/account", "Authorization: Basic dGVzdHVzZXI6dGVzdHBhc3M=\r\n"),
    ])
    func allOthersGetTheSame401AndNothingIsStored(_ path: String, _ header: String) async throws {
        let producer = TestProducer()
        try await withIngress(producer) { ingress in
            let client = try await ingress.connect()
            try await client.send(post(message("wamid.1"), to: path, headers: header))
            let response = try await client.response()
            #expect(response.status == 401)
            #expect(response.headers["www-authenticate"] == "Basic realm=\"webhooks\"")
            #expect(
                response.body
                    == #"{"error":{"code":"unauthorized","message":"Credentials are missing or wrong."}}"#)
            // The small body was read over: the connection still works.
            try await client.send(post(message("wamid.2")))
            #expect(try await client.response().status == 200)
            #expect(producer.sent.count == 1)
        }
    }

    @Test func aStrangersLargeBodyIsNotTakenIntoMemory() async throws {
        try await withIngress(TestProducer()) { ingress in
            let client = try await ingress.connect()
            let body = [UInt8](repeating: 0x20, count: 3_000_000)
            client.post(post(body, headers: ""))
            let response = try await client.response()
            #expect(response.status == 401)
            #expect(response.headers["connection"] == "close")
            #expect(ingress.server.metrics.bytesInFlight == 0)
            try await client.waitForEnd()
            #expect(!client.wasReset)
        }
    }

    @Test func withoutAnAccountChannelItsPathIsUnknown() async throws {
        try await withIngress(TestProducer(), configure: { $0.channels.account = nil }) { ingress in
            try await ingress.expect(401, to: post("{}", to: "/webhooks"))
        }
    }

    @Test func secretsCannotBePrinted() {
        for authentication in [
            WebhookAuthentication.basic(user: "u", password: "hidden-word"), .header(name: "h", value: "hidden-word"),
            .signature(.meta, secret: "hidden-word"),
        ] {
            var dumped = ""
            let channel = IngressChannel(identity: .init(name: "a", hosting: .cloud), authentication: authentication)
            dump(channel, to: &dumped)
            let texts = ["\(authentication)", String(reflecting: authentication), dumped]
            #expect(texts.allSatisfy { !$0.contains("hidden-word") })
        }
    }

    @Test(arguments: [("", ""), ("a", "a"), ("secret", "secret")])
    func equalBytesAreEqual(_ given: String, _ expected: String) {
        #expect(constantTimeEquals(given.utf8, Array(expected.utf8)))
    }

    @Test(arguments: [
        ("", "a"), ("a", ""), ("secres", "secret"), ("Secret", "secret"), ("secre", "secret"),
        ("secretsecret", "secret"),
    ])
    func differentBytesAreNot(_ given: String, _ expected: String) {
        #expect(!constantTimeEquals(given.utf8, Array(expected.utf8)))
    }

    @Test func anEmptyListOfSecretsAcceptsNobody() throws {
        let head = try #require(RequestHead(parsing: "POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Basic \r\n\r\n"))
        #expect(Authenticator([]).check(head) == nil)
        #expect(Authenticator([.none]).check(head) != nil)
        // A slip that names both must not open the channel.
        #expect(Authenticator([.basic(user: "a", password: "b"), .none]).check(head) == nil)
    }
}
