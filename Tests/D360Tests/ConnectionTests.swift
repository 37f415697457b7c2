import D360
import Foundation
import HTTPTesting
import Testing

/// Limits, age and ways of connections.
@Suite struct ConnectionTests {
    private func post(_ url: String) -> HTTPRequest {
        HTTPRequest(url: url + "/messages", body: Array("{}".utf8), timeout: .seconds(60))
    }

    @Test func connectionsToAllHostsTogetherAreLimited() async throws {
        let servers = [try await LocalServer { _ in .hold }, try await LocalServer { _ in .hold }]
        let transport = HTTPTransport(HTTPTransportConfiguration(maxConnectionsPerHost: 4, maxConnections: 3))
        let requests = servers.map { post($0.url) }
        // One server after the other answers what it has, so that connections have to change hosts. Requests under way are
        // counted, each on a connection of its own: a server hears of a closed connection later than its client.
        let most = Task {
            var most = 0
            while !Task.isCancelled {
                for server in servers {
                    most = max(most, servers.reduce(0) { $0 + $1.held })
                    server.release()
                    try? await Task.sleep(for: .milliseconds(5))
                }
            }
            return most
        }
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for index in 0..<20 { group.addTask { try await transport.perform(requests[index % 2]).status } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        most.cancel()
        #expect(await (1...3).contains(most.value))
        #expect(statuses == Array(repeating: 200, count: 20))
        for server in servers { try await server.stop() }
    }

    @Test func connectionThatWasIdleForTooLongIsNotUsedAgain() async throws {
        let server = try await LocalServer()
        let transport = HTTPTransport(HTTPTransportConfiguration(maxIdleAge: .seconds(1)))
        for _ in 0..<2 { #expect(try await transport.perform(post(server.url)).status == 200) }
        #expect(server.connections == 1)
        // libcurl's own clock, in whole seconds.
        try await Task.sleep(for: .milliseconds(2_100))
        #expect(try await transport.perform(post(server.url)).status == 200)
        #expect(server.connections == 2)
        try await server.stop()
    }

    @Test func proxyCarriesPlainRequests() async throws {
        let proxy = try await LocalServer { _ in .answer(status: 203) }
        let transport = HTTPTransport(
            HTTPTransportConfiguration(proxy: "http://user:secret@127.0.0.1:\(proxy.port)"))
        #expect(try await transport.perform(post("http://api.example.test")).status == 203)
        let request = try #require(proxy.requests.first)
        #expect(request.path == "http://api.example.test/messages")
        #expect(request.header("Proxy-Authorization") == "Basic " + Data("user:secret".utf8).base64EncodedString())
        try await proxy.stop()
    }

    @Test func proxyThatRefusesTheTunnelGetsNothingOfTheRequest() async throws {
        let proxy = try await LocalServer { _ in .answer(status: 403) }
        let transport = HTTPTransport(HTTPTransportConfiguration(proxy: proxy.url))
        let request = HTTPRequest(
            url: "https://api.example.test/messages", headers: [HTTPField("D360-API-KEY", "hush")], body: [0x7b, 0x7d])
        let error = await #expect(throws: TransportError.self) { _ = try await transport.perform(request) }
        #expect(error?.delivery == .notSent)
        #expect(proxy.requests.map(\.method) == ["CONNECT"])
        #expect(proxy.requests.allSatisfy { $0.header("D360-API-KEY") == nil && $0.body.isEmpty })
        try await proxy.stop()
    }

    @Test func proxyThatIsAwayIsNotGoneAround() async throws {
        let server = try await LocalServer()
        let refusing = RefusingPort()
        let transport = HTTPTransport(HTTPTransportConfiguration(proxy: refusing.url))
        let error = await #expect(throws: TransportError.self) { _ = try await transport.perform(post(server.url)) }
        #expect(error?.code == .connect)
        #expect(error?.delivery == .notSent)
        #expect(server.requests.isEmpty)
        try await server.stop()
    }

    @Test func requestsOfDifferentShapesTakeTurnsOnOneHandle() async throws {
        let server = try await LocalServer { .answer(body: Array("\($0.method) \($0.path) \($0.body.count)".utf8)) }
        let transport = HTTPTransport()
        let requests = [
            HTTPRequest(method: "POST", url: server.url + "/a", headers: [HTTPField("X-One", "1")], body: [1, 2, 3]),
            HTTPRequest(method: "GET", url: server.url + "/b"),
            HTTPRequest(method: "PUT", url: server.url + "/c", headers: [HTTPField("X-Two", "2")], body: [1]),
            HTTPRequest(method: "POST", url: server.url + "/d", body: [1, 2]),
            HTTPRequest(method: "POST", url: server.url + "/e"),
            HTTPRequest(method: "POST", url: server.url + "/f", body: [1, 2, 3, 4]),
        ]
        for request in requests + requests { _ = try await transport.perform(request) }
        let expected = ["POST /a 3", "GET /b 0", "PUT /c 1", "POST /d 2", "POST /e 0", "POST /f 4"]
        #expect(server.requests.map { "\($0.method) \($0.path) \($0.body.count)" } == expected + expected)
        #expect(server.requests.map { $0.header("X-One") != nil } == (0..<12).map { $0 % 6 == 0 })
        #expect(server.requests.map { $0.header("X-Two") != nil } == (0..<12).map { $0 % 6 == 2 })
        try await server.stop()
    }
}
