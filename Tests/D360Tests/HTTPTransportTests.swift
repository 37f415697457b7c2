import D360
import HTTPTesting
import Testing

@Suite struct HTTPTransportTests {
    private func post(_ server: LocalServer, _ path: String = "/x", timeout: Duration? = nil) -> HTTPRequest {
        HTTPRequest(
            method: "POST", url: server.url + path, headers: [HTTPField("Content-Type", "application/json")],
            body: Array("{}".utf8), timeout: timeout)
    }

    @Test func carriesMethodHeadersBodyAndGivesTheWholeAnswer() async throws {
        let server = try await LocalServer { _ in
            .answer(status: 201, headers: [("Retry-After", "7")], body: Array("done".utf8))
        }
        let transport = HTTPTransport()
        let body = (0..<200_000).map { UInt8(truncatingIfNeeded: $0) }
        let request = HTTPRequest(
            method: "PUT", url: server.url + "/a?b=c", headers: [HTTPField("X-Key", "k"), HTTPField("X-Empty", "")],
            body: body)
        let response = try await transport.perform(request)
        #expect(response.status == 201)
        #expect(response.body == Array("done".utf8))
        #expect(response.header("retry-after") == "7")
        let seen = try #require(server.requests.first)
        #expect(seen.method == "PUT")
        #expect(seen.path == "/a?b=c")
        #expect(seen.header("x-key") == "k")
        #expect(seen.header("x-empty") == "")
        #expect(seen.header("content-type") == nil, "libcurl must not claim that the body is a form")
        #expect(seen.header("expect") == nil)
        #expect(seen.body == body)
        try await server.stop()
    }

    @Test(arguments: ["GET", "DELETE", "POST"]) func sendsRequestsWithoutBody(method: String) async throws {
        let server = try await LocalServer()
        let transport = HTTPTransport()
        #expect(try await transport.perform(HTTPRequest(method: method, url: server.url)).status == 200)
        #expect(server.requests.map(\.method) == [method])
        #expect(server.requests.first?.body == [])
        try await server.stop()
    }

    @Test func reusesItsConnection() async throws {
        let server = try await LocalServer()
        let transport = HTTPTransport()
        for _ in 0..<5 { _ = try await transport.perform(post(server)) }
        #expect(server.requests.count == 5)
        #expect(server.connections == 1)
        try await server.stop()
    }

    @Test func runsRequestsSideBySideUpToTheLimitPerHost() async throws {
        let server = try await LocalServer { _ in .hold }
        let transport = HTTPTransport(HTTPTransportConfiguration(maxConnectionsPerHost: 3))
        let request = post(server)
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<9 { group.addTask { try await transport.perform(request).status } }
            for round in 1...3 {
                #expect(await LocalServer.eventually { server.held == 3 }, "round \(round) has three at once")
                server.release()
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses == Array(repeating: 200, count: 9))
        #expect(server.mostHeld == 3)
        #expect(server.connections == 3)
        try await server.stop()
    }

    @Test func doesNotFollowRedirects() async throws {
        let server = try await LocalServer { request in
            request.path == "/x" ? .answer(status: 307, headers: [("Location", "/y")]) : .answer()
        }
        let response = try await HTTPTransport().perform(post(server))
        #expect(response.status == 307)
        #expect(server.requests.count == 1)
        try await server.stop()
    }

    @Test func refusesMoreRequestsThanItsBound() async throws {
        let server = try await LocalServer { _ in .hold }
        let transport = HTTPTransport(HTTPTransportConfiguration(maxRequests: 2))
        let request = post(server)
        async let first = transport.perform(request)
        async let second = transport.perform(request)
        #expect(await LocalServer.eventually { server.held == 2 })
        await #expect(throws: TransportError(.queueFull, .notSent, "too many requests at once")) {
            _ = try await transport.perform(request)
        }
        server.release()
        #expect(try await [first.status, second.status] == [200, 200])
        #expect(try await withHeldReleased(server) { try await transport.perform(request).status } == 200)
        try await server.stop()
    }

    private func withHeldReleased<T: Sendable>(
        _ server: LocalServer, _ body: @escaping @Sendable () async throws -> T
    ) async throws -> T {
        async let result = body()
        #expect(await LocalServer.eventually { server.held > 0 })
        server.release()
        return try await result
    }

    @Test func finishesWhatIsUnderWayWhenItShutsDown() async throws {
        let server = try await LocalServer { _ in .hold }
        let transport = HTTPTransport()
        let request = post(server)
        let running = Task { try await transport.perform(request).status }
        #expect(await LocalServer.eventually { server.held == 1 })
        let closing = Task { await transport.shutdown() }
        var refusal: TransportError?
        for _ in 0..<200 where refusal?.code != .closed {
            // Until the shutdown has begun, a request is taken, held by the server and times out.
            refusal = await #expect(throws: TransportError.self) {
                _ = try await transport.perform(post(server, timeout: .milliseconds(50)))
            }
        }
        #expect(refusal?.code == .closed)
        #expect(refusal?.delivery == .notSent)
        server.release()
        #expect(try await running.value == 200)
        await closing.value
        try await server.stop()
    }

    @Test(arguments: [
        HTTPRequest(method: "POST", url: "ftp://127.0.0.1/x"),
        HTTPRequest(method: "POST", url: "http://127.0.0.1/a b"),
        HTTPRequest(method: "PO ST", url: "http://127.0.0.1/"),
        HTTPRequest(method: "POST", url: "http://127.0.0.1/", headers: [HTTPField("A", "b\r\nC: d")]),
        HTTPRequest(method: "POST", url: "http://127.0.0.1/", headers: [HTTPField("A: b", "c")]),
    ]) func refusesRequestsThatWouldBreakOutOfTheirLine(request: HTTPRequest) async throws {
        let error = await #expect(throws: TransportError.self) { _ = try await HTTPTransport().perform(request) }
        #expect(error?.code == .invalidRequest)
        #expect(error?.delivery == .notSent)
    }
}
