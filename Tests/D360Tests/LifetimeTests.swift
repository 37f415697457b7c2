import D360
import HTTPTesting
import Synchronization
import Testing

private final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func add() { count.withLock { $0 += 1 } }
}

/// Transports that come and go while others talk to them.
@Suite struct LifetimeTests {
    private func request(_ server: LocalServer) -> HTTPRequest {
        HTTPRequest(url: server.url, body: [0x7b, 0x7d], timeout: .seconds(60))
    }

    @Test func transportThatIsDroppedFinishesItsRequests() async throws {
        let server = try await LocalServer()
        let request = request(server)
        let answered = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<50 {
                group.addTask {
                    let transport = HTTPTransport()
                    async let first = transport.perform(request)
                    async let second = transport.perform(request)
                    return ((try? await first.status) == 200 ? 1 : 0) + ((try? await second.status) == 200 ? 1 : 0)
                }
            }
            return await group.reduce(0, +)
        }
        #expect(answered == 100)
        #expect(await LocalServer.eventually { server.openConnections == 0 }, "their threads close what they opened")
        try await server.stop()
    }

    @Test func shutdownReturnsAfterItsConnectionsAreClosed() async throws {
        let server = try await LocalServer()
        let transport = HTTPTransport()
        _ = try await transport.perform(request(server))
        await transport.shutdown()
        await transport.shutdown()
        #expect(await LocalServer.eventually { server.openConnections == 0 })
        try await server.stop()
    }

    @Test func cancellationsAndShutdownsMayCrossInAnyOrder() async throws {
        let server = try await LocalServer { $0.path == "/hold" ? .hold : .answer() }
        let url = server.url
        for round in 0..<30 {
            let transport = HTTPTransport()
            let ended = Counter()
            await withTaskGroup(of: Void.self) { group in
                for index in 0..<20 {
                    group.addTask {
                        let path = index % 2 == 0 ? "/hold" : "/"
                        let task = Task {
                            _ = try? await transport.perform(HTTPRequest(url: url + path, body: [0x7b, 0x7d]))
                            ended.add()
                        }
                        for _ in 0..<(index + round) { await Task.yield() }
                        // Those that are held end by their cancellation alone.
                        if index % 4 != 1 { task.cancel() }
                        await task.value
                    }
                }
                group.addTask {
                    for _ in 0..<round { await Task.yield() }
                    await transport.shutdown()
                }
            }
            #expect(ended.value == 20, "every caller hears exactly once")
        }
        try await server.stop()
    }
}
