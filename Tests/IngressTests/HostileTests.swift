import Testing

@testable import Ingress

/// Hundreds of bad connections at once, while good requests go on.
@Suite(.serialized) struct HostileTests {
    private static let each = 150

    @Test func goodRequestsGoOnAmongHundredsOfSlowHalfOpenAndOversizedConnections() async throws {
        let producer = TestProducer()
        try await withIngress(
            producer,
            configure: {
                $0.headerTimeout = .seconds(3)
                $0.bodyTimeout = .seconds(3)
                $0.idleTimeout = .seconds(3)
                $0.maxConnections = 2_000
                $0.maxBodyBytes = 1 << 20
                $0.maxInFlightBytes = 16 << 20
            }
        ) { ingress in
            var bad: [(kind: Int, client: TestClient)] = []
            for (index, kind) in Self.kinds.enumerated() {
                for _ in 1...Self.each {
                    let client = try await ingress.connect()
                    kind(client)
                    bad.append((index, client))
                }
                // A good connection is answered whatever the others do. A new one each time: on a slow machine the old one
                // would have been idle for too long.
                let good = try await ingress.connect()
                for number in 1...20 {
                    try await good.send(post(message("wamid.\(number)")))
                    #expect(try await good.response().status == 200)
                }
                try await good.close()
                #expect(ingress.server.metrics.bytesInFlight <= 16 << 20)
            }
            // All of them are got rid of, without being asked.
            for (kind, client) in bad { try await client.waitForEnd("of kind \(kind), \(ingress.server.metrics.openConnections) open") }
            for (_, client) in bad { try? await client.close() }
            try await eventually("no connection and no byte is left") {
                ingress.server.metrics.openConnections == 0 && ingress.server.metrics.bytesInFlight == 0
            }
            try await ingress.expect(200, to: post(message("wamid.last")))
        }
        // Not one of the bad ones got anything stored.
        #expect(producer.sent.count == Self.kinds.count * 20 + 1)
    }

    private static let kinds: [@Sendable (TestClient) -> Void] = [
        // Says nothing.
        { _ in },
        // A head that stops in the middle.
        { $0.post(Array("POST /webhooks/shop HTTP/1.1\r\nHost: a\r\nX-".utf8)) },
        // A body that stops in the middle, with memory reserved for it.
        { $0.post(Array(post([UInt8](repeating: 0x20, count: 50_000)).dropLast(10))) },
        // A chunk that stops in the middle.
        { $0.post(Array(chunked([[UInt8](repeating: 0x20, count: 1_000)]).dropLast(20))) },
        // Too large, and all of it is sent.
        { $0.post(post([UInt8](repeating: 0x20, count: 1_200_000))) },
        // A head without an end.
        { $0.post([UInt8](repeating: 0x61, count: 100_000)) },
        // A stranger with a large body.
        { $0.post(post([UInt8](repeating: 0x20, count: 200_000), headers: "")) },
        // Half closed in the middle of a body.
        { client in
            client.post(Array(post([UInt8](repeating: 0x20, count: 1_000)).dropLast(10)))
            client.halfClose()
        },
    ]

    @Test func overloadIsAnsweredAtOnceAndNeverByAReset() async throws {
        let producer = TestProducer(.hold)
        try await withIngress(producer, configure: { $0.maxInFlightBytes = 4 << 20 }) { ingress in
            let body = message("wamid.1", text: String(repeating: "x", count: 200_000))
            var clients: [TestClient] = []
            for _ in 1...200 {
                let client = try await ingress.connect()
                client.post(post(body))
                clients.append(client)
            }
            // The log says nothing (the deadline is a minute): whoever does not fit is told so meanwhile.
            try await eventually("all but those in the log's hands are answered") {
                producer.heldCount + (ingress.server.metrics.rejected["overloaded"] ?? 0) == 200
            }
            #expect(producer.heldCount > 10)
            #expect(producer.heldCount < 30)
            producer.release()
            producer.set(.accept)
            var statuses: [Int: Int] = [:]
            for client in clients {
                statuses[try await client.response().status, default: 0] += 1
                #expect(!client.wasReset)
            }
            #expect(statuses.keys.sorted() == [200, 503])
        }
    }
}
