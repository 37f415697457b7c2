import Crypto
import Foundation
import Testing
import WhatsApp

@testable import Ingress

@Suite struct SignatureTests {
    /// The vectors beside the bodies in `Tests/WhatsAppTests/Fixtures`.
    private struct Vectors: Decodable {
        struct Vector: Decodable {
            var file: String
            var header: String
            var value: String
        }
        var app_secret: String
        var vectors: [Vector]
    }

    private static func channel(
        _ name: String, _ authentication: [WebhookAuthentication]
    ) -> IngressChannel {
        IngressChannel(identity: .init(name: name, hosting: .cloud), authentication: authentication)
    }

    private static let secret = "old-secret"
    private static let channels = [
        channel("meta", [.signature(.meta, secret: "new-secret"), .signature(.meta, secret: secret)]),
        channel("partner", [.signature(.dialog360, secret: secret)]),
        channel("both", [.signature(.meta, secret: secret), TestIngress.shopLogin]),
        channel("two", [.signature(.meta, secret: secret), .signature(.dialog360, secret: "new-secret")]),
    ]

    private func withSigned(_ body: (TestIngress, TestProducer) async throws -> Void) async throws {
        let producer = TestProducer()
        try await withIngress(producer, configure: { $0.channels.named = Self.channels }) { try await body($0, producer) }
    }

    @Test func thePublishedVectorsAreTaken() async throws {
        let vectors = try JSONDecoder().decode(Vectors.self, from: Data(Fixtures.body("signatures.json")))
        #expect(vectors.vectors.count >= 5)
        let meta = Self.channel("meta", [.signature(.meta, secret: vectors.app_secret)])
        try await withIngress(TestProducer(), configure: { $0.channels.named = [meta] }) { ingress in
            for vector in vectors.vectors {
                let body = try Fixtures.body(vector.file)
                let header = "\(vector.header): \(vector.value)\r\n"
                try await ingress.expect(200, to: post(body, to: "/webhooks/meta", headers: header), "\(vector.file)")
                try await ingress.expect(401, to: post(body + [0x20], to: "/webhooks/meta", headers: header))
            }
        }
    }

    /// Else the time that a large body takes would tell which channels there are.
    @Test func everyChannelComparesWithAsManySecrets() throws {
        let router = Router(IngressChannels(named: Self.channels), Topics(), maxNesting: 64)
        for (name, header) in [
            ("meta", "X-Hub-Signature-256"), ("partner", "x-360dialog-signature"), ("nobody", "X-Hub-Signature-256"),
        ] {
            let claim = String(repeating: "a", count: 64)
            let request = "POST /webhooks/\(name) HTTP/1.1\r\nHost: a\r\n\(header): \(claim)\r\n\r\n"
            let head = try #require(RequestHead(parsing: request))
            #expect(try router.route(to: Router.channel(of: head), head).1.comparisons == 2, "\(name)")
        }
    }

    @Test(arguments: ["new-secret", "old-secret"], ["", "sha256="])
    func everyValidSecretIsTakenWithAndWithoutPrefix(_ secret: String, _ prefix: String) async throws {
        try await withSigned { ingress, producer in
            let body = message("wamid.1")
            for digits in [sign(body, secret), sign(body, secret).uppercased()] {
                let request = post(body, to: "/webhooks/meta", headers: "X-Hub-Signature-256: \(prefix)\(digits)\r\n")
                try await ingress.expect(200, to: request)
            }
            let partner = post(body, to: "/webhooks/partner", headers: "x-360dialog-signature: \(prefix)\(sign(body))\r\n")
            try await ingress.expect(200, to: partner)
            #expect(producer.sent.count == 3)
        }
    }

    @Test func whatIsNotSignedByUsIsRefusedAndNothingOfItIsStored() async throws {
        let body = message("wamid.1")
        let right = sign(body)
        let headers = [
            "", "X-Hub-Signature-256:\r\n", "X-Hub-Signature-256: sha256=\r\n",
            "X-Hub-Signature-256: \(sign(body, "other-secret"))\r\n", "X-Hub-Signature-256: \(sign(body + " "))\r\n",
            "X-Hub-Signature-256: sha1=\(right)\r\n", "X-Hub-Signature-256: \(right.dropLast())\r\n",
            "X-Hub-Signature-256: \(right.dropLast())g\r\n", "X-Hub-Signature-256: \(right)\(right)\r\n",
            "X-Hub-Signature-256: \(sign(body, ""))\r\n", "x-360dialog-signature: \(right)\r\n", TestIngress.shopHeader,
        ]
        try await withSigned { ingress, producer in
            let client = try await ingress.connect()
            for header in headers {
                try await client.send(post(body, to: "/webhooks/meta", headers: header))
                let response = try await client.response()
                #expect(response.status == 401, "\(header)")
                #expect(response.body == #"{"error":{"code":"unauthorized","message":"Credentials are missing or wrong."}}"#)
            }
            #expect(producer.sent.isEmpty)
            // The same connection goes on.
            try await client.send(post(body, to: "/webhooks/meta", headers: "X-Hub-Signature-256: \(right)\r\n"))
            #expect(try await client.response().status == 200)
            #expect(ingress.server.metrics.bytesInFlight == 0)
        }
    }

    @Test func theSignatureIsCheckedBeforeTheBodyIsLookedInto() async throws {
        try await withSigned { ingress, _ in
            // No JSON, and no gzip: of an unsigned body neither is said.
            let wrong = "X-Hub-Signature-256: \(sign("{}"))\r\n"
            try await ingress.expect(401, to: post("no json", to: "/webhooks/meta", headers: wrong))
            try await ingress.expect(
                401, to: post("no gzip", to: "/webhooks/meta", headers: wrong + "Content-Encoding: gzip\r\n"))
            let right = "X-Hub-Signature-256: \(sign("no json"))\r\n"
            try await ingress.expect(400, to: post("no json", to: "/webhooks/meta", headers: right))
        }
    }

    /// What a request says of its form is judged before its channel, and a signature is checked after the body: neither
    /// tells a channel that is there from one that is not.
    @Test(arguments: [
        ("Content-Length: 2\r\nExpect: 100-continue\r\n", [100, 401]),
        ("Content-Length: 5000000\r\n", [413]),
        ("Content-Length: 2\r\nContent-Encoding: br\r\n", [415]),
        ("Content-Length: 2\r\nExpect: tea\r\n", [417]),
        ("", [411]),
        ("Transfer-Encoding: chunked\r\n", []),
    ])
    func channelsCannotBeProbed(_ form: String, _ statuses: [Int]) async throws {
        let zeros = String(repeating: "0", count: 64)
        var channels = Self.channels
        channels.append(Self.channel("login", [TestIngress.shopLogin]))
        try await withIngress(TestProducer(), configure: { $0.channels.named = channels }) { ingress in
            for name in ["meta", "partner", "both", "two", "login", "nobody"] {
                for header in ["X-Hub-Signature-256", "x-360dialog-signature"] {
                    let client = try await ingress.connect()
                    try await client.send(
                        "POST /webhooks/\(name) HTTP/1.1\r\nHost: a\r\n\(header): \(zeros)\r\n\(form)\r\n")
                    for status in statuses {
                        let response = try await client.response()
                        #expect(response.status == status, "\(name), \(header)")
                        if status == 100 { try await client.send("{}") }
                    }
                    if statuses.isEmpty {
                        // Nothing is said before the body's end.
                        try await client.send("2\r\n{}\r\n")
                        try await ingress.expect(404, to: Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
                        #expect(!client.hasBytes, "\(name), \(header)")
                        try await client.send("0\r\n\r\n")
                        #expect(try await client.response().status == 401)
                    }
                    try? await client.close()
                }
            }
        }
    }

    @Test func withoutASignatureTheBodyIsNotEvenRead() async throws {
        try await withSigned { ingress, _ in
            let client = try await ingress.connect()
            try await client.send("POST /webhooks/meta HTTP/1.1\r\nHost: a\r\nContent-Length: 3000000\r\n\r\n")
            #expect(try await client.response().status == 401)
            #expect(ingress.server.metrics.bytesInFlight == 0)
        }
    }

    @Test func theLimitHoldsForSignedBodiesToo() async throws {
        try await withSigned { ingress, _ in
            let body = String(repeating: " ", count: 5_000_000)
            let header = "X-Hub-Signature-256: \(sign(body))\r\n"
            try await ingress.expect(413, to: post(body, to: "/webhooks/meta", headers: header))
        }
    }

    @Test func kindsOfProofAreDemandedTogether() async throws {
        let body = message("wamid.1")
        let meta = "X-Hub-Signature-256: \(sign(body))\r\n"
        let partner = "x-360dialog-signature: \(sign(body, "new-secret"))\r\n"
        try await withSigned { ingress, _ in
            for (path, headers, status) in [
                ("both", meta, 401), ("both", TestIngress.shopHeader, 401), ("both", meta + TestIngress.shopHeader, 200),
                ("two", meta, 401), ("two", partner, 401), ("two", partner + meta, 200),
            ] {
                try await ingress.expect(status, to: post(body, to: "/webhooks/\(path)", headers: headers))
            }
        }
    }

    @Test func severalLoginsAndValuesAreValidAtOnce() async throws {
        let channels = [
            Self.channel("logins", [.basic(user: "a", password: "1"), .basic(user: "b", password: "2")]),
            Self.channel("values", [.header(name: "X-Secret", value: "old"), .header(name: "x-secret", value: "new")]),
        ]
        try await withIngress(TestProducer(), configure: { $0.channels.named = channels }) { ingress in
            for (path, header, status) in [
                ("logins", "Authorization: Basic \(base64("a:1"))", 200), ("logins", "Authorization: Basic \(base64("b:2"))", 200),
                ("logins", "Authorization: Basic \(base64("a:2"))", 401), ("values", "X-Secret: old", 200),
                ("values", "X-Secret: new", 200), ("values", "X-Secret: older", 401),
            ] {
                try await ingress.expect(status, to: post("{}", to: "/webhooks/\(path)", headers: header + "\r\n"), "\(header)")
            }
        }
    }

    private func base64(_ text: String) -> String { Data(text.utf8).base64EncodedString() }

    private func sign(_ body: String, _ secret: String = secret) -> String {
        HMAC<SHA256>.authenticationCode(for: Data(body.utf8), using: SymmetricKey(data: Data(secret.utf8)))
            .map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
    }
}
