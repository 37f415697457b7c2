import D360
import Foundation
import HTTPTesting
import Testing

/// Against a server that offers HTTP/2 over TLS, as 360dialog's may.
@Suite(.enabled(if: FileManager.default.isExecutableFile(atPath: Certificates.openssl), "needs the openssl tool"))
struct HTTP2Tests {
    private func withServer(
        offering protocols: [String] = ["h2", "http/1.1"],
        _ reply: @escaping @Sendable (LocalServer.Request) -> LocalServer.Reply = { _ in .answer() },
        _ body: (LocalServer, HTTPTransportConfiguration) async throws -> Void
    ) async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        let server = try await LocalServer(tls: certificates.serving(certificates.first, protocols), reply)
        try await body(server, HTTPTransportConfiguration(caFile: certificates.first.certificate))
        try await server.stop()
    }

    private func post(_ server: LocalServer, _ text: String = "{}") -> HTTPRequest {
        HTTPRequest(url: server.url, headers: [HTTPField("D360-API-KEY", "k")], body: Array(text.utf8), timeout: .seconds(60))
    }

    @Test func manyRequestsShareOneConnectionFromTheFirstOn() async throws {
        try await withServer({ _ in .hold }) { server, configuration in
            let transport = HTTPTransport(configuration)
            let request = post(server)
            let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
                for _ in 0..<50 { group.addTask { try await transport.perform(request).status } }
                #expect(await LocalServer.eventually { server.held == 50 })
                server.release()
                return try await group.reduce(into: []) { $0.append($1) }
            }
            #expect(statuses == Array(repeating: 200, count: 50))
            #expect(server.connections == 1)
            let requests = server.requests
            #expect(requests.allSatisfy { $0.isHTTP2 && $0.method == "POST" && $0.header("d360-api-key") == "k" })
            #expect(requests.allSatisfy { $0.body == Array("{}".utf8) })
        }
    }

    @Test func largeBodiesAndAnswersPass() async throws {
        let large = String(repeating: "x", count: 300_000)
        try await withServer({ .answer(status: 202, body: $0.body) }) { server, configuration in
            let answer = try await HTTPTransport(configuration).perform(post(server, large))
            #expect(answer.status == 202)
            #expect(answer.body == Array(large.utf8))
            #expect(answer.header("Content-Length") == "300000")
        }
    }

    @Test func connectionThatIsCutLeavesEveryRequestUnknownAndRepeatsNone() async throws {
        try await withServer({ _ in .hold }) { server, configuration in
            let transport = HTTPTransport(configuration)
            let request = post(server)
            let errors = await withTaskGroup(of: TransportError?.self) { group in
                for _ in 0..<10 {
                    group.addTask {
                        do throws(TransportError) {
                            _ = try await transport.perform(request)
                            return nil
                        } catch {
                            return error
                        }
                    }
                }
                #expect(await LocalServer.eventually { server.held == 10 })
                server.cutConnections()
                return await group.reduce(into: []) { $0.append($1) }
            }
            #expect(errors.count == 10)
            #expect(errors.allSatisfy { $0?.delivery == .unknown && $0?.code == .cut }, "\(errors)")
            #expect(server.requests.count == 10)
        }
    }

    @Test func cancellingOneRequestLeavesTheOthersOnItsConnectionAlone() async throws {
        try await withServer({ _ in .hold }) { server, configuration in
            let transport = HTTPTransport(configuration)
            let request = post(server)
            let cancelled = Task { try? await transport.perform(request).status }
            let kept = Task { try? await transport.perform(request).status }
            #expect(await LocalServer.eventually { server.held == 2 })
            cancelled.cancel()
            #expect(await cancelled.value == nil)
            server.release()
            #expect(await kept.value == 200)
            #expect(server.connections == 1)
        }
    }

    @Test(arguments: [(["http/1.1"], true), (["h2", "http/1.1"], false)])
    func oldHTTPIsSpokenWhereTheServerOrTheSettingsWantIt(protocols: [String], usesHTTP2: Bool) async throws {
        try await withServer(offering: protocols) { server, configuration in
            var configuration = configuration
            configuration.usesHTTP2 = usesHTTP2
            let transport = HTTPTransport(configuration)
            for _ in 0..<3 { _ = try await transport.perform(post(server)) }
            #expect(server.requests.map(\.isHTTP2) == [false, false, false])
            #expect(server.connections == 1)
        }
    }
}
