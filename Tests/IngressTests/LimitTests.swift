import EventLog
import NIOCore
import Telemetry
import Testing

@testable import Ingress

@Suite struct LimitTests {
    @Test(arguments: ["4194305", "1000000000000000000", "9223372036854775807"])
    func aBodyThatSaysItIsTooLargeIsRefusedBeforeItComes(_ length: String) async throws {
        try await withIngress(TestProducer()) { ingress in
            let client = try await ingress.connect()
            // Not one byte of the body is sent.
            try await client.send(
                "POST /webhooks/shop HTTP/1.1\r\nHost: a\r\n\(TestIngress.shopHeader)Content-Length: \(length)\r\n\r\n")
            let response = try await client.response()
            #expect(response.status == 413)
            #expect(response.headers["connection"] == "close")
            #expect(response.body.contains("\"body_too_large\""))
        }
    }

    /// Whoever closes his side in the middle of a body will not send the rest: no time-out is needed to know that.
    @Test(arguments: [
        Array(post(message("wamid.1")).dropLast(10)), Array(chunked([Array(message("wamid.1").utf8)]).dropLast(20)),
        Array(post(message("wamid.1"), headers: "").dropLast(10)),
        post(message("wamid.1")) + Array(post(message("wamid.2")).dropLast(10)),
    ])
    func aBodyThatEndsInTheMiddleEndsItsConnectionAtOnce(_ request: [UInt8]) async throws {
        let producer = TestProducer()
        try await withIngress(
            producer, configure: { ($0.headerTimeout, $0.bodyTimeout) = (.seconds(600), .seconds(600)) }
        ) { ingress in
            let client = try await ingress.connect()
            try await client.send(request)
            try await client.closeOutput()
            try await client.waitForEnd()
            try await eventually("nothing is left") {
                ingress.server.metrics.openConnections == 0 && ingress.server.metrics.bytesInFlight == 0
            }
        }
        #expect(producer.sent.count <= 1)
    }

    @Test func aSenderOfTooMuchReadsItsAnswerWhileItStillSends() async throws {
        let producer = TestProducer()
        try await withIngress(producer, configure: { $0.lingerTimeout = .seconds(20) }) { ingress in
            for request in [
                post([UInt8](repeating: 0x20, count: 5_000_000)),
                chunked((1...50).map { _ in [UInt8](repeating: 0x20, count: 100_000) }),
            ] {
                let client = try await ingress.connect()
                try await client.send(request)
                #expect(try await client.response().status == 413)
                try await client.waitForEnd()
                #expect(!client.wasReset)
                try await client.close()
            }
            #expect(ingress.server.metrics.bytesInFlight == 0)
            try await ingress.expect(200, to: post(message("wamid.1")))
        }
        #expect(producer.sent.count == 1)
    }

    @Test func aBodyOfExactlyTheLimitIsTaken() async throws {
        let body = message("wamid.1")
        let producer = TestProducer()
        try await withIngress(producer, configure: { $0.maxBodyBytes = body.utf8.count }) { ingress in
            try await ingress.expect(200, to: post(body))
            try await ingress.expect(200, to: chunked([Array(body.utf8)]))
            try await ingress.expect(413, to: post(body + " "))
            try await ingress.expect(413, to: chunked([Array(body.utf8), [0x20]]))
        }
        #expect(producer.sent.count == 2)
    }

    @Test func jsonNestedBeyondTheLimitIsRefused() async throws {
        func nested(_ depth: Int) -> String {
            #"{"a":"# + String(repeating: "[", count: depth - 1) + String(repeating: "]", count: depth - 1) + "}"
        }
        for limit in [3, 64, 128] {
            try await withIngress(TestProducer(), configure: { $0.maxNesting = limit }) { ingress in
                try await ingress.expect(200, to: post(nested(limit)))
                try await ingress.expect(400, to: post(nested(limit + 1)))
            }
        }
    }

    @Test func headersBeyondTheLimitAreRefused() async throws {
        try await withIngress(TestProducer(), configure: { $0.maxHeaderBytes = 4_096 }) { ingress in
            let long = "X-Long: \(String(repeating: "a", count: 5_000))\r\n"
            let many = (1...60).map { "X-Header-\($0): \(String(repeating: "a", count: 100))\r\n" }.joined()
            let countless = (1...200).map { "X-\($0): a\r\n" }.joined()
            for headers in [long, many, countless] {
                let client = try await ingress.connect()
                client.post(post("{}", headers: TestIngress.shopHeader + headers))
                let response = try await client.response()
                #expect(response.status == 431)
                #expect(response.headers["connection"] == "close")
                try await client.waitForEnd()
            }
            // A head without an end.
            let endless = try await ingress.connect()
            endless.post(Array("POST /webhooks/shop HTTP/1.1\r\nX: ".utf8) + [UInt8](repeating: 0x61, count: 1_000_000))
            #expect(try await endless.response().status == 431)
            try await ingress.expect(200, to: post(message("wamid.1")))
        }
    }

    /// What was sent before is read when a later request on another connection is answered: there is one event loop.
    private func readEverything(_ ingress: TestIngress) async throws {
        try await ingress.expect(200, to: post(message("wamid.0")))
    }

    @Test func aHeadThatDoesNotEndIsTimedOut() async throws {
        let clock = DeadlineClock()
        let registry = PrometheusRegistry()
        try await withIngress(
            TestProducer(), metrics: registry, clock: clock, configure: { ($0.headerTimeout, $0.eventLoopCount) = (.seconds(10), 1) }
        ) { ingress in
            let client = try await ingress.connect()
            try await client.send("POST /webhooks/shop HTTP/1.1\r\nHos")
            // One that says nothing at all is not worth an answer.
            let silent = try await ingress.connect()
            try await readEverything(ingress)
            clock.advance(by: .seconds(10) + .nanoseconds(1))
            let response = try await client.response()
            #expect(response.status == 408)
            #expect(response.headers["connection"] == "close")
            // The time that it took is that of the head.
            let sum = registry.text().firstMatch(of: /http_server_request_duration_seconds_sum.*"408".* ([0-9.]+)/)
            #expect(try #require(sum.flatMap { Double($0.1) }) >= 10)
            try await silent.waitForEnd()
            #expect(!silent.hasBytes)
            clock.advance(by: .seconds(10))
            try await client.waitForEnd()
        }
    }

    @Test func aSecondHeadThatDoesNotEndIsTimedOutToo() async throws {
        let clock = DeadlineClock()
        try await withIngress(
            TestProducer(), clock: clock, configure: { ($0.headerTimeout, $0.eventLoopCount) = (.seconds(10), 1) }
        ) { ingress in
            let client = try await ingress.connect()
            try await client.send(post(message("wamid.1")))
            #expect(try await client.response().status == 200)
            try await client.send("POST /webhooks/shop HTTP/1.1\r\nHos")
            try await readEverything(ingress)
            clock.advance(by: .seconds(10) + .nanoseconds(1))
            #expect(try await client.response().status == 408)
            clock.advance(by: .seconds(10))
            try await client.waitForEnd()
        }
    }

    @Test func aBodyThatDoesNotEndIsTimedOutAndItsBytesAreFreed() async throws {
        try await withIngress(TestProducer(), configure: { $0.bodyTimeout = .milliseconds(200) }) { ingress in
            let client = try await ingress.connect()
            try await client.send(Array(post(message("wamid.1")).dropLast(10)))
            #expect(try await client.response().status == 408)
            try await client.waitForEnd()
            #expect(ingress.server.metrics.bytesInFlight == 0)
            // The rest of a refused body is not waited for longer either.
            let refused = try await ingress.connect()
            try await refused.send(Array(post(message("wamid.1"), headers: "").dropLast(10)))
            #expect(try await refused.response().status == 401)
            try await refused.waitForEnd()
        }
    }

    @Test func anIdleConnectionIsClosed() async throws {
        try await withIngress(TestProducer(), configure: { $0.idleTimeout = .milliseconds(200) }) { ingress in
            let client = try await ingress.connect()
            try await client.send(post(message("wamid.1")))
            #expect(try await client.response().status == 200)
            try await client.waitForEnd()
            #expect(!client.hasBytes)
        }
    }

    @Test func oneConnectionTooManyIsTold503AndThereIsRoomWhenOneLeaves() async throws {
        try await withIngress(TestProducer(), configure: { $0.maxConnections = 2 }) { ingress in
            let kept = [try await ingress.connect(), try await ingress.connect()]
            for client in kept {
                try await client.send(post(message("wamid.1")))
                #expect(try await client.response().status == 200)
            }
            let surplus = try await ingress.connect()
            try await surplus.send(post(message("wamid.2")))
            let refused = try await surplus.response()
            #expect(refused.status == 503)
            #expect(refused.headers["retry-after"] == "1")
            #expect(refused.headers["connection"] == "close")
            try await surplus.waitForEnd()
            try await surplus.close()
            try await kept[0].close()
            try await eventually("there is room") { ingress.server.metrics.openConnections == 1 }
            try await ingress.expect(200, to: post(message("wamid.3")))
        }
    }

    @Test func oneConnectionTooManyIsTold503AtOnceThoughItSaysNothing() async throws {
        try await withIngress(
            TestProducer(), configure: { ($0.maxConnections, $0.headerTimeout) = (2, .seconds(600)) }
        ) { ingress in
            // Far more than are accepted beyond the limit: none of them keeps the others out.
            var clients: [TestClient] = []
            for _ in 1...60 { clients.append(try await ingress.connect()) }
            for client in clients.dropFirst(2) {
                #expect(try await client.response().status == 503)
                try await client.waitForEnd()
            }
            #expect(!clients[0].hasBytes && !clients[1].hasBytes)
            try await clients[0].send(post(message("wamid.1")))
            #expect(try await clients[0].response().status == 200)
        }
    }

    @Test func whoShowsNoCredentialsMayNotStayAsLong() async throws {
        let clock = DeadlineClock()
        try await withIngress(
            TestProducer(), clock: clock,
            configure: { ($0.headerTimeout, $0.idleTimeout, $0.eventLoopCount) = (.seconds(10), .seconds(75), 1) }
        ) { ingress in
            let trusted = try await ingress.connect()
            try await trusted.send(post(message("wamid.1")))
            #expect(try await trusted.response().status == 200)
            var strangers: [TestClient] = []
            for request in [Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8), post("{}", headers: "")] {
                let client = try await ingress.connect()
                try await client.send(request)
                #expect([401, 404].contains(try await client.response().status))
                strangers.append(client)
            }
            clock.advance(by: .seconds(10) + .nanoseconds(1))
            for client in strangers { try await client.waitForEnd() }
            #expect(!trusted.isClosedByPeer)
            try await trusted.send(post(message("wamid.2")))
            #expect(try await trusted.response().status == 200)
        }
    }

    @Test func farTooManyConnectionsWaitUntilOthersLeave() async throws {
        // Nobody's time is up, however long sixty connections take.
        try await withIngress(TestProducer(), clock: DeadlineClock(), configure: { $0.maxConnections = 4 }) { ingress in
            var clients: [TestClient] = []
            for _ in 1...60 { clients.append(try await ingress.connect()) }
            // Accepting goes in small batches, so a few more than the bound may get in.
            try await eventually("some are accepted") { ingress.server.metrics.openConnections >= 20 }
            #expect(ingress.server.metrics.openConnections < 40)
            for client in clients { try await client.close() }
            // Those that waited in the kernel's queue are accepted first, and found to have left.
            var status = 0
            for _ in 1...1_000 where status != 200 {
                status = try await ingress.answer(to: post(message("wamid.1"))).status
            }
            #expect(status == 200)
        }
    }

    @Test func aFloodOfPipelinedRequestsIsCutShort() async throws {
        let producer = TestProducer(.hold)
        try await withIngress(producer) { ingress in
            let client = try await ingress.connect()
            let small = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
            client.post(post(message("wamid.1")) + (1...20_000).flatMap { _ in small })
            try await eventually("the first delivery reaches the log") { producer.heldCount == 1 }
            producer.release()
            #expect(try await client.response().status == 200)
            producer.set(.accept)
            try await ingress.expect(200, to: post(message("wamid.2")))
        }
    }

    /// One after the other, each of the hundred would be read to its end first.
    @Test func pipelinedRequestsTakeTurnsWithThoseOfOthers() async throws {
        try await withIngress(TestProducer(), configure: { $0.eventLoopCount = 1 }) { ingress in
            let many = Array(String(repeating: "GET / HTTP/1.1\r\nHost: a\r\n\r\n", count: 7_000).utf8)
            var flood: [TestClient] = []
            for _ in 1...20 {
                let client = try await ingress.connect()
                client.post(many)
                flood.append(client)
            }
            let answered = { ingress.server.metrics.rejected["not_found"] ?? 0 }
            try await eventually("the flood is being read") { answered() > 0 }
            for number in 1...5 { try await ingress.expect(200, to: post(message("wamid.\(number)"))) }
            #expect(answered() < 20 * 7_000)
            try await eventually("all are answered in the end") { answered() == 20 * 7_000 }
            for client in flood { try await client.close() }
        }
    }
}
