import D360
import HTTPTesting
import Testing

/// What the transport claims about requests that got no answer. `notSent` must never be wrong.
@Suite struct DeliveryTests {
    /// libcurl looks at the total time-out before it looks at its sockets: when the machine lets this process stand still
    /// for that long, a cut that lies in the socket already is reported as a time-out.
    private static let patient = HTTPTransportConfiguration(connectTimeout: .seconds(60), totalTimeout: .seconds(120))
    private static let key = "secret-key-4711"
    private static let body = Array(#"{"to":"15550001111"}"#.utf8)

    private func request(_ url: String, timeout: Duration? = nil) -> HTTPRequest {
        HTTPRequest(
            method: "POST", url: url, headers: [HTTPField("D360-API-KEY", Self.key)], body: Self.body, timeout: timeout)
    }

    private func failure(_ transport: HTTPTransport, _ request: HTTPRequest) async -> TransportError? {
        let error = await #expect(throws: TransportError.self) { _ = try await transport.perform(request) }
        if let error {
            let text = "\(error) \(String(reflecting: error))"
            #expect(!text.contains(Self.key) && !text.contains("15550001111") && !text.contains("127.0.0.1"))
        }
        return error
    }

    @Test func refusedConnectionIsNotSent() async throws {
        let nobody = RefusingPort()
        let error = await failure(HTTPTransport(Self.patient), request(nobody.url))
        withExtendedLifetime(nobody) {}
        #expect(error?.code == .connect)
        #expect(error?.delivery == .notSent)
    }

    @Test func unknownHostIsNotSent() async throws {
        let error = await failure(HTTPTransport(Self.patient), request("http://no-such-host.invalid/x"))
        #expect(error?.code == .resolve)
        #expect(error?.delivery == .notSent)
    }

    @Test func failedTLSHandshakeIsNotSent() async throws {
        let server = try await LocalServer()
        let error = await failure(HTTPTransport(Self.patient), request("https://127.0.0.1:\(server.port)/x"))
        #expect(error?.code == .tls)
        #expect(error?.delivery == .notSent)
        #expect(server.requests.isEmpty)
        try await server.stop()
    }

    @Test func serverThatNeverAnswersLeavesTheOutcomeUnknown() async throws {
        let server = try await LocalServer { _ in .hold }
        let error = await failure(HTTPTransport(Self.patient), request(server.url, timeout: .milliseconds(400)))
        #expect(error?.code == .timeout)
        #expect(error?.delivery == .unknown)
        #expect(server.requests.count == 1)
        try await server.stop()
    }

    @Test func timeoutWhileWaitingForAConnectionIsNotSent() async throws {
        let server = try await LocalServer { _ in .hold }
        let transport = HTTPTransport(HTTPTransportConfiguration(maxConnectionsPerHost: 1))
        let first = request(server.url)
        async let running = transport.perform(first)
        #expect(await LocalServer.eventually { server.held == 1 })
        let error = await failure(transport, request(server.url, timeout: .milliseconds(200)))
        #expect(error?.code == .timeout)
        #expect(error?.delivery == .notSent)
        #expect(server.requests.count == 1)
        server.release()
        #expect(try await running.status == 200)
        try await server.stop()
    }

    @Test func connectionClosedWithoutAnAnswerLeavesTheOutcomeUnknown() async throws {
        let server = try await LocalServer { _ in .close }
        let error = await failure(HTTPTransport(Self.patient), request(server.url))
        #expect(error?.code == .cut)
        #expect(error?.delivery == .unknown)
        try await server.stop()
    }

    @Test func answerCutInTheMiddleLeavesTheOutcomeUnknown() async throws {
        let server = try await LocalServer { _ in .truncate }
        let error = await failure(HTTPTransport(Self.patient), request(server.url))
        #expect(error?.code == .cut)
        #expect(error?.delivery == .unknown)
        try await server.stop()
    }

    /// libcurl by itself repeats a request whose reused connection ends without an answer; the server of this test has
    /// read the request by then, so a repetition would be a second message.
    @Test(arguments: [body, []])
    func requestIsNotRepeatedWhenAReusedConnectionEnds(body: [UInt8]) async throws {
        let server = try await LocalServer { $0.path == "/second" ? .close : .answer() }
        let transport = HTTPTransport(Self.patient)
        _ = try await transport.perform(HTTPRequest(method: "POST", url: server.url + "/first", body: Self.body))
        let error = await failure(transport, HTTPRequest(method: "POST", url: server.url + "/second", body: body))
        #expect(error?.code == .cut)
        #expect(error?.delivery == .unknown)
        #expect(server.requests.map(\.path) == ["/first", "/second"])
        try await server.stop()
    }

    @Test func connectionThatClosedWhileIdleIsReplacedWithoutLoss() async throws {
        let server = try await LocalServer { _ in .answer(headers: [("Connection", "close")]) }
        let transport = HTTPTransport(Self.patient)
        for _ in 0..<3 { #expect(try await transport.perform(request(server.url)).status == 200) }
        #expect(server.requests.count == 3)
        try await server.stop()
    }

    @Test func answerBeyondTheBoundIsGivenUp() async throws {
        let server = try await LocalServer { _ in .answer(body: Array(repeating: 0x20, count: 5_000)) }
        let transport = HTTPTransport(HTTPTransportConfiguration(maxResponseBytes: 4_999))
        let error = await failure(transport, request(server.url))
        #expect(error?.code == .responseTooLarge)
        #expect(error?.delivery == .unknown)
        let enough = HTTPTransport(HTTPTransportConfiguration(maxResponseBytes: 5_000))
        #expect(try await enough.perform(request(server.url)).body.count == 5_000)
        try await server.stop()
    }

    @Test func cancelledCallerGivesTheRequestUp() async throws {
        let server = try await LocalServer { _ in .hold }
        let transport = HTTPTransport(Self.patient)
        let request = request(server.url)
        let caller = Task { () -> TransportError? in
            do {
                _ = try await transport.perform(request)
                return nil
            } catch let error as TransportError {
                return error
            }
        }
        #expect(await LocalServer.eventually { server.held == 1 })
        caller.cancel()
        let error = try await caller.value
        #expect(error?.code == .cancelled)
        #expect(error?.delivery == .unknown)
        #expect(await LocalServer.eventually { server.openConnections == 0 })
        try await server.stop()
    }
}
