import EventLog
import NIOCore
import Testing
import WhatsApp

@testable import Ingress

@Suite struct BudgetTests {
    private static let signed = IngressChannel(
        identity: .init(name: "signed", hosting: .cloud), authentication: .signature(.meta, secret: "secret"))
    /// Of the right form; nobody knows whether it is right before the body is whole.
    private static let anySignature = "X-Hub-Signature-256: \(String(repeating: "0", count: 64))\r\n"

    private func withSigned(
        _ producer: TestProducer = TestProducer(), clock: DeadlineClock? = nil,
        configure: (inout IngressConfiguration) -> Void = { _ in }, _ body: (TestIngress) async throws -> Void
    ) async throws {
        try await withIngress(
            producer, clock: clock,
            configure: {
                $0.channels.named.append(Self.signed)
                configure(&$0)
            }, body)
    }

    @Test func aLengthThatIsOnlyAnnouncedTakesNoRoom() async throws {
        try await withSigned { ingress in
            let length = 4 << 20
            var clients: [TestClient] = []
            // More than twice what may be in flight.
            for _ in 1...40 {
                let client = try await ingress.connect()
                try await client.send(
                    "POST /webhooks/signed HTTP/1.1\r\nHost: a\r\n\(Self.anySignature)Expect: 100-continue\r\n"
                        + "Content-Length: \(length)\r\n\r\n")
                #expect(try await client.response().status == 100)
                clients.append(client)
            }
            #expect(ingress.server.metrics.bytesInFlight == 0)
            try await ingress.expect(200, to: post(message("wamid.1")))
            for client in clients { try await client.close() }
        }
    }

    @Test func whoHasProvenNothingCannotShutOutWhoHas() async throws {
        let limit = 1 << 20
        try await withSigned(configure: { ($0.maxInFlightBytes, $0.maxBodyBytes) = (limit, limit / 4) }) { ingress in
            let large = message("wamid.1", text: String(repeating: "x", count: 200_000))
            var strangers: [TestClient] = []
            for _ in 1...10 {
                let client = try await ingress.connect()
                client.post(Array(post(large, to: "/webhooks/signed", headers: Self.anySignature).dropLast()))
                strangers.append(client)
            }
            try await eventually("no more than half is taken") {
                ingress.server.metrics.rejected["overloaded"] == 8 && ingress.server.metrics.bytesInFlight > 400_000
            }
            #expect(ingress.server.metrics.bytesInFlight <= limit / 2)
            try await ingress.expect(200, to: post(large))
            // Who was refused is heard to the end of its body, and can go on.
            for client in strangers { client.post(Array("}".utf8)) }
            for client in strangers {
                let status = try await client.response().status
                #expect([401, 503].contains(status))
                try await client.send(post(message("wamid.2")))
                #expect(try await client.response().status == 200)
            }
            #expect(ingress.server.metrics.bytesInFlight == 0)
        }
    }

    @Test func chunksThatFindNoRoomAreAnswered503AndReadOver() async throws {
        let producer = TestProducer(.hold)
        let large = message("wamid.1", text: String(repeating: "x", count: 200_000))
        try await withIngress(producer, configure: { ($0.maxInFlightBytes, $0.maxBodyBytes) = (250_000, 250_000) }) { ingress in
            let first = try await ingress.connect()
            try await first.send(post(large))
            try await eventually("the log has it") { producer.heldCount == 1 }
            let held = ingress.server.metrics.bytesInFlight
            let second = try await ingress.connect()
            let request = chunked(large.utf8.chunks(of: 20_000))
            try await second.send(Array(request.dropLast(7)))
            #expect(try await second.response().status == 503)
            #expect(ingress.server.metrics.bytesInFlight == held)
            producer.release()
            #expect(try await first.response().status == 200)
            producer.set(.accept)
            try await second.send(Array(request.suffix(7)) + post(message("wamid.2")))
            #expect(try await second.response().status == 200)
        }
    }

    @Test func aSlowSenderThatIsRefusedReadsItsAnswerAtItsEnd() async throws {
        let producer = TestProducer(.hold)
        let clock = DeadlineClock()
        let large = message("wamid.1", text: String(repeating: "x", count: 200_000))
        try await withIngress(
            producer, clock: clock,
            configure: {
                ($0.maxInFlightBytes, $0.maxBodyBytes) = (250_000, 250_000)
                ($0.lingerTimeout, $0.bodyTimeout, $0.eventLoopCount) = (.seconds(3), .seconds(30), 1)
            }
        ) { ingress in
            let first = try await ingress.connect()
            try await first.send(post(large))
            try await eventually("the log has it") { producer.heldCount == 1 }
            let slow = try await ingress.connect()
            let request = post(large)
            try await slow.send(Array(request.prefix(1_000)))
            #expect(try await slow.response().status == 503)
            for part in 1...20 {
                clock.advance(by: .seconds(1))
                try await slow.send(Array(request.dropFirst(part * 1_000).prefix(1_000)))
                // Another request is answered meanwhile, so time has been looked at.
                try await ingress.expect(404, to: Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8))
            }
            try await slow.send(Array(request.dropFirst(21_000)))
            producer.release()
            producer.set(.accept)
            try await slow.send(post(message("wamid.2")))
            #expect(try await slow.response().status == 200)
            #expect(!slow.wasReset)
        }
    }

    @Test func unfinishedHeadsCountAmongTheUnproven() async throws {
        let limit = 1 << 20
        try await withIngress(
            TestProducer(), configure: { ($0.maxInFlightBytes, $0.maxBodyBytes, $0.maxConnections) = (limit, limit / 4, 500) }
        ) { ingress in
            var clients: [TestClient] = []
            // Each is less than a head may have; all together are more than the half.
            let half = "POST /webhooks/shop HTTP/1.1\r\nHost: a\r\n\(TestIngress.shopHeader)X: "
                + String(repeating: "a", count: 15_000)
            for _ in 1...100 {
                let client = try await ingress.connect()
                client.post(Array(half.utf8))
                clients.append(client)
            }
            try await eventually("some find no room") { ingress.server.metrics.rejected["overloaded"] ?? 0 > 40 }
            #expect(ingress.server.metrics.bytesInFlight > limit / 4)
            #expect(ingress.server.metrics.bytesInFlight <= limit / 2)
            try await ingress.expect(200, to: post(message("wamid.1", text: String(repeating: "x", count: 100_000))))
            // Those that were let in can go on; with the end of a head its room is free.
            for client in clients where !client.hasBytes { client.post(Array("\r\nContent-Length: 2\r\n\r\n{}".utf8)) }
            try await eventually("all are answered") { clients.allSatisfy(\.hasBytes) }
            #expect(ingress.server.metrics.rejected["overloaded"] ?? 0 < 100)
            #expect(ingress.server.metrics.stored > 10)
            try await eventually("no head is held") { ingress.server.metrics.bytesInFlight == 0 }
            for client in clients { try? await client.close() }
        }
    }

    @Test func theHalfOfTheUnprovenHoldsTheLargestBody() {
        let budget = InFlightBudget(limit: 100, largest: 80)
        #expect(budget.reserve(80, isProven: false))
        #expect(!budget.reserve(1, isProven: false))
        #expect(budget.reserve(20))
        #expect(!budget.reserve(1))
        budget.prove(80)
        #expect(!budget.hasRoom(for: 1, isProven: false), "the whole is full")
        budget.release(80)
        #expect(budget.hasRoom(for: 80, isProven: false))
        #expect(!budget.hasRoom(for: 81, isProven: false))
        #expect(budget.reserve(50, isProven: false))
        budget.release(50, isProven: false)
        budget.release(20)
        #expect(budget.bytes == 0)
    }
}

extension String.UTF8View {
    fileprivate func chunks(of size: Int) -> [[UInt8]] {
        let bytes = Array(self)
        return stride(from: 0, to: bytes.count, by: size).map { Array(bytes.dropFirst($0).prefix(size)) }
    }
}
