import CZlib
import EventLogTesting
import Testing
import WhatsApp

@testable import Ingress

@Suite struct EncodingTests {
    private func encoded(_ body: [UInt8], as coding: String) -> [UInt8] {
        post(body, headers: TestIngress.shopHeader + "Content-Encoding: \(coding)\r\n")
    }

    @Test func compressedBodiesGiveTheSameRecordsAsPlainOnes() async throws {
        let producer = TestProducer()
        let body = Array(message("wamid.1", text: String(repeating: "hello ", count: 50_000)).utf8)
        let half = body.count / 2
        let ways: [(String, [UInt8])] = [
            ("gzip", deflated(body, .gzip)), ("GZIP", deflated(body, .gzip)), ("x-gzip", deflated(body, .gzip)),
            ("deflate", deflated(body, .zlib)), ("deflate", deflated(body, .bare)),
            // Two members, as `cat a.gz b.gz` makes them.
            ("gzip", deflated(Array(body[..<half]), .gzip) + deflated(Array(body[half...]), .gzip)),
            ("identity", body),
        ]
        try await withIngress(producer) { ingress in
            for (coding, bytes) in ways { try await ingress.expect(200, to: encoded(bytes, as: coding), "\(coding)") }
            #expect(ingress.server.metrics.bytesInFlight == 0)
        }
        #expect(producer.sent.count == ways.count)
        #expect(Set(producer.sent.map { $0.map(\.value) }).count == 1)
    }

    @Test func aBombEndsAtTheLimit() async throws {
        try await withIngress(TestProducer(), configure: { $0.maxBodyBytes = 1 << 20 }) { ingress in
            let bomb = deflated([UInt8](repeating: 0x20, count: 200 << 20), .gzip)
            #expect(bomb.count < 1 << 20)
            let client = try await ingress.connect()
            try await client.send(encoded(bomb, as: "gzip"))
            #expect(try await client.response().status == 413)
            #expect(ingress.server.metrics.bytesInFlight == 0)
            try await client.send(post(message("wamid.1")))
            #expect(try await client.response().status == 200)
        }
    }

    @Test func aBombIsNotInflatedBeyondTheStepThatShowsIt() {
        let bomb = deflated([UInt8](repeating: 0x20, count: 64 << 20), .gzip)
        var reserved = 0
        let result = Inflater.inflate(bomb.span.bytes, .gzip, limit: 100_000) { bytes in
            reserved += bytes
            return true
        }
        #expect(result == .failure(.bodyTooLarge))
        #expect(reserved <= 100_001)
    }

    @Test func aBodyOfExactlyTheLimitIsTaken() async throws {
        let body = Array(message("wamid.1", text: String(repeating: "x", count: 200_000)).utf8)
        try await withIngress(TestProducer(), configure: { $0.maxBodyBytes = body.count }) { ingress in
            try await ingress.expect(200, to: encoded(deflated(body, .gzip), as: "gzip"))
            try await ingress.expect(413, to: encoded(deflated(body + [0x20], .gzip), as: "gzip"))
        }
    }

    @Test func whatIsInflatedCountsAsInFlight() async throws {
        let producer = TestProducer(.hold)
        let body = Array(message("wamid.1", text: String(repeating: "x", count: 600_000)).utf8)
        try await withIngress(
            producer,
            configure: {
                $0.maxBodyBytes = 1 << 20
                $0.maxInFlightBytes = 1 << 20
            }
        ) { ingress in
            let first = try await ingress.connect()
            try await first.send(encoded(deflated(body, .gzip), as: "gzip"))
            try await eventually("the first delivery reaches the log") { producer.heldCount == 1 }
            // The second one is small on the wire and does not fit when it is inflated.
            try await ingress.expect(503, to: encoded(deflated(body, .gzip), as: "gzip"))
            producer.release()
            #expect(try await first.response().status == 200)
            #expect(ingress.server.metrics.bytesInFlight == 0)
        }
    }

    @Test func whatIsNotWhatItSaysIsRefused() async throws {
        let body = Array(message("wamid.1").utf8)
        let whole = deflated(body, .gzip)
        var wrongSum = whole
        wrongSum[wrongSum.count - 6] ^= 1
        let bad: [(String, [UInt8])] = [
            ("gzip", []), ("gzip", body), ("gzip", Array(whole.dropLast())), ("gzip", Array(whole.prefix(10))),
            ("gzip", whole + [0]), ("gzip", whole + body), ("gzip", wrongSum), ("gzip", deflated(body, .zlib)),
            ("deflate", deflated(body, .zlib).dropLast()), ("deflate", deflated(body, .zlib) + [0]),
            ("deflate", whole), ("deflate", []),
        ]
        let producer = TestProducer()
        try await withIngress(producer) { ingress in
            let client = try await ingress.connect()
            for (coding, bytes) in bad {
                try await client.send(encoded(bytes, as: coding))
                let response = try await client.response()
                #expect(response.status == 400)
                #expect(response.body.contains("\"invalid_encoding\""))
            }
            // Every cut of a good body.
            for cut in 0..<whole.count {
                let part = Array(whole[..<cut])
                let result = Inflater.inflate(part.span.bytes, .gzip, limit: 1 << 20) { _ in true }
                #expect(result == .failure(.invalidEncoding), "cut at \(cut)")
            }
            #expect(ingress.server.metrics.bytesInFlight == 0)
        }
        #expect(producer.sent.isEmpty)
    }

    @Test func brokenStreamsEndWithinTheBound() {
        var random = SeededGenerator(seed: 6)
        let body = Array(message("wamid.1", text: String(repeating: "hello ", count: 500)).utf8)
        let limit = 10_000
        for format in [Format.gzip, .zlib, .bare] {
            let whole = deflated(body, format)
            for _ in 1...1_000 {
                var broken = whole
                for _ in 0...Int.random(in: 0...3, using: &random) {
                    broken[Int.random(in: 0..<broken.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
                }
                var reserved = 0
                let result = Inflater.inflate(
                    broken.span.bytes, format == .gzip ? .gzip : .deflate, limit: limit
                ) { bytes in
                    reserved += bytes
                    return true
                }
                #expect(reserved <= limit + 1)
                // Where a checksum stands at the end, what is taken is what was sent.
                if case .success(let inflated) = result, format != .bare { #expect(inflated == body) }
                if case .success(let inflated) = result { #expect(inflated.count <= limit) }
            }
        }
    }

    @Test(arguments: ["br", "zstd", "compress", "gzip, gzip", "gzip\r\nContent-Encoding: gzip", "gzip, br", "gzip;q=1", ""])
    func otherCodingsAreNotTaken(_ coding: String) async throws {
        try await withIngress(TestProducer()) { ingress in
            let response = try await ingress.answer(to: encoded(Array(message("wamid.1").utf8), as: coding))
            #expect(response.status == 415)
            #expect(response.headers["accept-encoding"] == "gzip, deflate")
        }
    }
}

enum Format: Int32 {
    case gzip = 31
    case zlib = 15
    case bare = -15
}

/// `body` in one of zlib's formats.
func deflated(_ body: [UInt8], _ format: Format) -> [UInt8] {
    let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)
    stream.initialize(to: z_stream())
    defer { stream.deallocate() }
    let size = Int32(MemoryLayout<z_stream>.size)
    precondition(
        deflateInit2_(stream, 6, Z_DEFLATED, format.rawValue, 8, Z_DEFAULT_STRATEGY, ZLIB_VERSION, size) == Z_OK)
    defer { deflateEnd(stream) }
    var output = [UInt8](repeating: 0, count: Int(deflateBound(stream, UInt(body.count))))
    var input = body
    let written = input.withUnsafeMutableBufferPointer { input in
        output.withUnsafeMutableBufferPointer { output in
            stream.pointee.next_in = input.baseAddress
            stream.pointee.avail_in = UInt32(input.count)
            stream.pointee.next_out = output.baseAddress
            stream.pointee.avail_out = UInt32(output.count)
            precondition(deflate(stream, Z_FINISH) == Z_STREAM_END)
            return output.count - Int(stream.pointee.avail_out)
        }
    }
    return Array(output.prefix(written))
}
