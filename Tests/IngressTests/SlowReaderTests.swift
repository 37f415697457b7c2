import Foundation
import Testing

@testable import Ingress

/// Answers to a client that does not read them.
@Suite struct SlowReaderTests {
    /// More than a socket takes: the rest of an answer that it took in part comes next, and nothing before it.
    @Test func aClientThatReadsLateGetsAllAnswersInOrder() async throws {
        try await withIngress(TestProducer()) { ingress in
            let client = try await ingress.connect()
            try await client.stopReading()
            let requests = Array("GET /webhooks/shop HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
            let pairs = 20_000
            let last = Array("GET /webhooks/shop HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".utf8)
            client.post((1...pairs).flatMap { _ in requests } + last)
            var (before, answered) = (-1, 0)
            while answered == 0 || answered != before {
                before = answered
                for _ in 1...20 { try await ingress.expect(200, to: post(message("wamid.1"))) }
                answered = ingress.server.metrics.rejected["method_not_allowed"] ?? 0
            }
            #expect(answered < pairs, "the socket took all of it")
            try await client.startReading()
            try await client.waitForEnd()
            let arrived = client.take { (value: $0, length: $0.count) } ?? []
            let wanted = [UInt8(ascii: "5"), UInt8(ascii: "4")]
            #expect(Self.lastDigits(ofStatusesIn: arrived) == (0...2 * pairs).map { wanted[$0 % 2] })
            try await client.close()
        }
    }

    private static func lastDigits(ofStatusesIn bytes: [UInt8]) -> [UInt8] {
        let (bytes, start) = (Data(bytes), Data("HTTP/1.1 40".utf8))
        var digits: [UInt8] = []
        var at = 0
        while let found = bytes.range(of: start, in: at..<bytes.count) {
            at = found.upperBound
            digits.append(bytes[at])
        }
        return digits
    }

    @Test func aClientThatDoesNotReadItsAnswersCannotMakeThemPileUp() async throws {
        let producer = TestProducer()
        try await withIngress(producer) { ingress in
            let client = try await ingress.connect()
            try await client.stopReading()
            let request = Array("GET /webhooks/shop HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
            let many = (1...2_000).flatMap { _ in request }
            for _ in 1...200 { client.post(many) }
            // 400,000 answers would be over 80 MB; the sockets hold a few, then the server must stop answering.
            var before = -1
            var answered = 0
            while answered == 0 || answered != before {
                before = answered
                for _ in 1...20 { try await ingress.expect(200, to: post(message("wamid.1"))) }
                answered = ingress.server.metrics.rejected["method_not_allowed"] ?? 0
            }
            #expect(answered < 300_000)
            // The server may have cut the connection by now.
            try? await client.close()
        }
    }
}
