import EventLogTesting
import Foundation
import Testing

@testable import Ingress

/// Streams of requests, damaged and cut at random: the parser must agree with the reference on every one of them,
/// however they arrive.
///
/// A failure prints its seed. `deploy/local fuzz` runs it for as long as wanted, from any seed:
/// `MILLRACE_FUZZ_SECONDS` and `MILLRACE_FUZZ_SEED`.
@Suite struct HTTP1ParserFuzzTests {
    private static let lines = [
        "Host: a", "Host: a", "Host:", "Content-Length: 5", "Content-Length: 0", "Content-Length: 3",
        "Content-Length: 9223372036854775807", "Content-Length: 9223372036854775808", "Content-Length: 00000000000000000000005",
        "Transfer-Encoding: chunked", "Transfer-Encoding: gzip", "Connection: close", "Connection: keep-alive, x",
        "Expect: 100-continue", "X-A: b", "Content-Encoding: gzip", "Authorization: Basic eA==", "X:\t", "traceparent: 00",
    ]
    private static let starts = [
        "POST /webhooks/shop HTTP/1.1", "GET /a?b=c HTTP/1.1", "HEAD * HTTP/1.0", "POST http://a/b HTTP/1.0",
        "CONNECT a:443 HTTP/1.1", "PUT / HTTP/1.1",
    ]
    private static let framedBodies: [(framing: String, body: String)] = [
        ("", ""), ("Content-Length: 0\r\n", ""), ("Content-Length: 5\r\n", "{}\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "5\r\nabcde\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\n", "3;x\r\n{}\n\r\nA\r\n0123456789\r\n0\r\nT: u\r\n\r\n"),
    ]
    private static let bits = Array("\r\n \t:;,0123456789afGET/HTTP?#\u{0}\u{7F}\u{B}é".utf8) + [0x80, 0xFF]
    private static let phrases = ["\r\n", "\n", "\r", "\r\n\r\n", " ", "\r\n ", "0\r\n\r\n", ": ", "ffffffff"]

    @Test func agreesWithTheReferenceOnDamagedStreams() {
        let environment = ProcessInfo.processInfo.environment
        let seed = environment["MILLRACE_FUZZ_SEED"].flatMap(UInt64.init) ?? 9_112
        let end = environment["MILLRACE_FUZZ_SECONDS"].flatMap(Double.init).map { Date(timeIntervalSinceNow: $0) }
        var round: UInt64 = 0
        var refused = 0
        while end.map({ $0 > Date() }) ?? (round < 3_000) {
            var random = SeededGenerator(seed: seed &+ round)
            let stream = Self.stream(&random)
            let limits = Self.limits(&random)
            let expected = HTTP1Reference.read(stream, limits)
            let actual = HTTP1Transcript.read(Self.pieces(of: stream, &random), limits)
            if actual != expected {
                Issue.record(
                    "seed \(seed &+ round): \(String(decoding: stream, as: UTF8.self).debugDescription)\n\(actual)\n\(expected)")
                return
            }
            if actual.failure != nil { refused += 1 }
            round += 1
        }
        // Both kinds must have been met for the run to mean something.
        #expect(refused > Int(round) / 10 && refused < Int(round) * 9 / 10)
        if end != nil { print("parser: \(round) streams from seed \(seed), \(refused) of them refused") }
    }

    private static func stream(_ random: inout SeededGenerator) -> [UInt8] {
        var text = ""
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            text += starts.randomElement(using: &random)! + "\r\n"
            // Most heads are whole, so that what follows them is reached.
            if Int.random(in: 0..<8, using: &random) > 0 { text += "Host: a\r\n" }
            let (framing, body) = framedBodies.randomElement(using: &random)!
            text += framing
            for _ in 0..<Int.random(in: 0...2, using: &random) {
                let line = lines.randomElement(using: &random)!
                if Int.random(in: 0..<6, using: &random) == 0 || line.hasPrefix("X") { text += line + "\r\n" }
            }
            let isOdd = Int.random(in: 0..<10, using: &random) == 0
            text += "\r\n" + (isOdd ? framedBodies.randomElement(using: &random)!.body : body)
        }
        var bytes = Array(text.utf8)
        for _ in 0..<Int.random(in: 0...2, using: &random) where !bytes.isEmpty { damage(&bytes, &random) }
        return bytes
    }

    private static func damage(_ bytes: inout [UInt8], _ random: inout SeededGenerator) {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        switch Int.random(in: 0..<6, using: &random) {
        case 0: bytes[at] = bits.randomElement(using: &random)!
        case 1: bytes.insert(bits.randomElement(using: &random)!, at: at)
        case 2: bytes.remove(at: at)
        case 3: bytes.insert(contentsOf: phrases.randomElement(using: &random)!.utf8, at: at)
        case 4: bytes.removeSubrange(at..<min(bytes.count, at + Int.random(in: 1...20, using: &random)))
        default: bytes.insert(contentsOf: bytes[at..<min(bytes.count, at + 30)], at: at)
        }
    }

    /// Now and then so tight that they are met.
    private static func limits(_ random: inout SeededGenerator) -> HTTP1Parser.Limits {
        guard Int.random(in: 0..<4, using: &random) == 0 else { return HTTP1Parser.Limits() }
        return HTTP1Parser.Limits(
            requestLine: Int.random(in: 20...60, using: &random), headerBytes: Int.random(in: 20...120, using: &random),
            headerCount: Int.random(in: 1...4, using: &random), chunkLine: Int.random(in: 1...6, using: &random),
            chunkOverhead: Int.random(in: 0...4, using: &random))
    }

    private static func pieces(of stream: [UInt8], _ random: inout SeededGenerator) -> [ArraySlice<UInt8>] {
        let longest = [1, 7, 40, 1_000].randomElement(using: &random)!
        var pieces: [ArraySlice<UInt8>] = []
        var rest = stream[...]
        while !rest.isEmpty {
            let piece = rest.prefix(Int.random(in: 1...longest, using: &random))
            pieces.append(piece)
            rest = rest.dropFirst(piece.count)
        }
        return pieces
    }
}
