import D360
import Foundation
import HTTPTesting
import Testing

/// Who is trusted: against a server with a certificate of its own making.
@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: Certificates.openssl), "needs the openssl tool"))
struct CertificateTests {
    private func withServer(
        names: String = "IP:127.0.0.1", _ body: (LocalServer, Certificates) async throws -> Void
    ) async throws {
        let certificates = try Certificates(names: names)
        defer { certificates.remove() }
        let server = try await LocalServer(tls: certificates.serving(certificates.first, ["http/1.1"]))
        try await body(server, certificates)
        try await server.stop()
    }

    private func refusal(_ server: LocalServer, _ transport: HTTPTransport) async -> TransportError? {
        let request = HTTPRequest(method: "POST", url: server.url, body: [0x7b, 0x7d])
        return await #expect(throws: TransportError.self) { _ = try await transport.perform(request) }
    }

    @Test func untrustedCertificateIsRefusedBeforeAnythingIsSent() async throws {
        try await withServer { server, _ in
            let error = await refusal(server, HTTPTransport())
            #expect(error?.code == .tls)
            #expect(error?.delivery == .notSent)
            #expect(server.requests.isEmpty)
        }
    }

    @Test func configuredAuthorityIsTrusted() async throws {
        try await withServer { server, certificates in
            let transport = HTTPTransport(HTTPTransportConfiguration(caFile: certificates.first.certificate))
            let answer = try await transport.perform(HTTPRequest(method: "GET", url: server.url))
            #expect(answer.status == 200)
        }
    }

    @Test func anotherAuthorityIsNotTrusted() async throws {
        try await withServer { server, certificates in
            let transport = HTTPTransport(HTTPTransportConfiguration(caFile: certificates.second.certificate))
            #expect(await refusal(server, transport)?.code == .tls)
        }
    }

    @Test func certificateOfAnotherNameIsRefused() async throws {
        try await withServer(names: "DNS:other.example.test") { server, certificates in
            let transport = HTTPTransport(HTTPTransportConfiguration(caFile: certificates.first.certificate))
            #expect(await refusal(server, transport)?.code == .tls)
            #expect(server.requests.isEmpty)
        }
    }

    @Test func authorityFileThatIsNotThereLetsNothingOut() async throws {
        try await withServer { server, certificates in
            let transport = HTTPTransport(HTTPTransportConfiguration(caFile: certificates.keyPath + ".missing"))
            let error = await refusal(server, transport)
            #expect(error?.code == .tls)
            #expect(error?.delivery == .notSent)
        }
    }
}
