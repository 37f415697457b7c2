import Testing

@testable import Ingress

/// The parser alone; how the server answers is in `RequestTests` and `LimitTests`.
@Suite struct HTTP1ParserTests {
    private static let lead = "POST /webhooks/shop HTTP/1.1\r\nHost: a\r\n"

    private static func failure(_ headers: String, _ body: String = "") -> Answer? {
        HTTP1Transcript.read(lead + headers + "\r\n" + body).failure
    }

    @Test func readsWhatARequestSays() throws {
        let transcript = HTTP1Transcript.read(
            "POST /webhooks/shop?a=b?c HTTP/1.1\r\nHOST: hooks.example:443\r\nauthorization:\t Basic eA== \t\r\nX-A:\r\n"
                + "content-LENGTH: 2\r\nX-A: second\r\n\r\n{}GET * HTTP/1.0\r\nConnection: x , Keep-Alive\r\n\r\n")
        try #require(transcript.requests.count == 2)
        let (first, second) = (transcript.requests[0], transcript.requests[1])
        #expect(first.path == "/webhooks/shop" && first.query == "a=b?c" && first.method == .post)
        #expect(first.headers.prefix(4) == ["hooks.example:443", "Basic eA==", "", "2"])
        #expect(first.body == Array("{}".utf8) && first.framing == .length(2) && first.persistence == .open)
        #expect(second.method == .get && second.path == "*" && second.persistence == .keepAlive && second.isComplete)
        #expect(transcript.failure == nil)
    }

    @Test(arguments: [
        ("http://hooks.example/webhooks/shop", "/webhooks/shop", nil as String?),
        ("HTTPS://hooks.example:8443/webhooks?x", "/webhooks", "x"), ("http://hooks.example", "", nil),
        ("http://hooks.example?x=/webhooks/shop", "", "x=/webhooks/shop"), ("/", "/", nil), ("/?", "/", ""),
        ("/a%2Fb//c", "/a%2Fb//c", nil), ("//hooks.example/webhooks", "//hooks.example/webhooks", nil),
    ])
    func findsThePathInAnyTarget(_ target: String, _ path: String, _ query: String?) {
        let request = HTTP1Transcript.read("POST \(target) HTTP/1.1\r\nHost: a\r\n\r\n").requests.first
        #expect(request?.path == path && request?.query == query && request?.isComplete == true)
    }

    @Test(arguments: [
        "GET / HTTP/1.2\r\n", "GET / HTTP/2.0\r\n", "GET / HTTP/0.9\r\n", "GET / http/1.1\r\n", "GET / HTTP/1.1 \r\n",
        "GET / HTTP/1.10\r\n", "GET / HTTP/01.1\r\n", "GET /\r\n", "GET  / HTTP/1.1\r\n", "GET /  HTTP/1.1\r\n",
        "GET /a b HTTP/1.1\r\n", "GET\t/ HTTP/1.1\r\n", " GET / HTTP/1.1\r\n", "G(T / HTTP/1.1\r\n", " / HTTP/1.1\r\n",
        "GET HTTP/1.1\r\n", "GET  HTTP/1.1\r\n", "\r\n\r\nGET / HTTP/1.1\r\n", "GET / HTTP/1.1\n", "GET / HTTP/1.1\r\r\n",
        "GET /\u{0} HTTP/1.1\r\n", "GET /\u{7F} HTTP/1.1\r\n", "GET /é HTTP/1.1\r\n", "GET /a#b HTTP/1.1\r\n",
        "GET webhooks HTTP/1.1\r\n", "GET http:// HTTP/1.1\r\n", "GET http:///webhooks HTTP/1.1\r\n",
        "GET ftp://a/webhooks HTTP/1.1\r\n", "GET a:443 HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n", "\u{16}\u{3}\u{1}",
    ])
    func refusesRequestLinesThatAreNone(_ line: String) {
        let transcript = HTTP1Transcript.read(line + "Host: a\r\n\r\n")
        #expect(transcript.failure == .malformedRequest && transcript.requests.isEmpty)
    }

    @Test func forgivesOneBlankLineBeforeARequest() {
        let one = "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"
        #expect(HTTP1Transcript.read(one + one).requests.filter(\.isComplete).count == 2)
    }

    /// Each of these is read differently by some server or proxy.
    @Test(arguments: [
        "X-A: b\r\n folded\r\n", "X-A: b\r\n\tfolded\r\n", " X-A: b\r\n", "X-A : b\r\n", "X-A\t: b\r\n", ": b\r\n", "X-A\r\n",
        "X A: b\r\n", "X-A: b\nX-B: c\r\n", "X-A: b\rX-B: c\r\n", "X-A: b\u{0}\r\n", "X-A: b\u{B}\r\n", "X-\u{0}A: b\r\n",
        "X-A: b\u{7F}\r\n", "Xé: b\r\n", "X-A: b\r\r\n", "(X): b\r\n", "X-A: b\r\n\n", "\u{0}\r\n",
    ])
    func refusesHeaderLinesThatAreNone(_ lines: String) {
        #expect(Self.failure(lines) == .malformedRequest)
    }

    @Test(arguments: [
        ("Content-Length: 5\r\nContent-Length: 5\r\n", Answer.malformedRequest),
        ("Content-Length: 5\r\nContent-Length: 6\r\n", .malformedRequest),
        ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", .malformedRequest),
        ("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", .malformedRequest),
        ("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n", .malformedRequest),
        ("Content-Length: 5, 5\r\n", .malformedRequest), ("Content-Length:\r\n", .malformedRequest),
        ("Content-Length: +5\r\n", .malformedRequest), ("Content-Length: 5 5\r\n", .malformedRequest),
        ("Content-Length: 0x5\r\n", .malformedRequest), ("Content-Length: ５\r\n", .malformedRequest),
        ("Content-Length: 9223372036854775808\r\n", .malformedRequest),
        ("Content-Length: 18446744073709551621\r\n", .malformedRequest),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", .malformedRequest),
        ("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", .malformedRequest),
        ("Transfer-Encoding: chunked, identity\r\n", .unsupportedTransferCoding),
        ("Transfer-Encoding: identity, chunked\r\n", .unsupportedTransferCoding),
        ("Transfer-Encoding: xchunked\r\n", .unsupportedTransferCoding),
        ("Transfer-Encoding: \u{B}chunked\r\n", .malformedRequest),
        ("Transfer-Encoding:\r\n", .unsupportedTransferCoding),
        ("Host: a\r\n", .malformedRequest), ("host: b\r\n", .malformedRequest),
    ])
    func refusesFramingThatTwoReadersCouldReadDifferently(_ headers: String, _ answer: Answer) {
        let transcript = HTTP1Transcript.read(Self.lead + headers + "\r\n0\r\n\r\nGET /second HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(transcript.failure == answer)
        #expect(!transcript.requests.contains { $0.path == "/second" || $0.isComplete })
    }

    @Test(arguments: ["", "Host: a b\r\n", "Host: a/b\r\n", "Host: a@b\r\n", "Host: a,b\r\n", "Host: a?\r\n", "Host: é\r\n"])
    func refusesAHostThatIsNone(_ host: String) {
        #expect(HTTP1Transcript.read("GET / HTTP/1.1\r\n\(host)\r\n").failure == .malformedRequest)
    }

    @Test func takesAnyHostThatIsOne() {
        for host in ["", "a", "a.example:8080", "[::1]:80", "a_b"] {
            let transcript = HTTP1Transcript.read("GET / HTTP/1.1\r\nHost: \(host)\r\n\r\n")
            #expect(transcript.requests.first?.isComplete == true)
        }
        #expect(HTTP1Transcript.read("GET / HTTP/1.0\r\n\r\n").requests.first?.persistence == .close)
    }

    @Test func http10HasNoChunksAndNoExpectation() {
        let text = "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        #expect(HTTP1Transcript.read(text).failure == .malformedRequest)
        let expecting = HTTP1Transcript.read("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n")
        #expect(expecting.requests.first?.expectation == RequestHead.Expectation.none)
    }

    @Test func anythingButOneContinueIsAnUnknownExpectation() {
        func expectation(_ headers: String) -> RequestHead.Expectation? {
            HTTP1Transcript.read(Self.lead + headers + "\r\n").requests.first?.expectation
        }
        #expect(expectation("Expect: 100-Continue\r\n") == .continueResponse)
        #expect(expectation("Expect: 100-continue\r\nExpect: tea\r\n") == .unknown)
        #expect(expectation("Expect: tea\r\nExpect: 100-continue\r\n") == .unknown)
    }

    @Test func connectEndsTheConnection() {
        let transcript = HTTP1Transcript.read("CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n")
        #expect(transcript.requests.first?.persistence == .close && transcript.requests.first?.isComplete == true)
    }

    // MARK: Chunks

    private static let chunks = "Transfer-Encoding: Chunked\r\n"

    @Test(arguments: [
        "2\r\n{}\r\n0\r\n\r\n", "1\r\n{\r\n01\r\n}\r\n00\r\n\r\n", "2;a=b;c=\"d;e\"\r\n{}\r\n0;last\r\n\r\n",
        "00000002\r\n{}\r\n0\r\nTrailer: a\r\nContent-Length: 7\r\n\r\n", "2;\r\n{}\r\n0\r\n\r\n",
    ])
    func joinsChunks(_ body: String) throws {
        let transcript = HTTP1Transcript.read(Self.lead + Self.chunks + "\r\n" + body + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n")
        try #require(transcript.requests.count == 2)
        #expect(transcript.requests[0].body == Array("{}".utf8) && transcript.requests[0].isComplete)
        #expect(transcript.requests[1].path == "/next" && transcript.failure == nil)
    }

    @Test(arguments: [
        "ffffffffffffffff\r\n", "10000000000000002\r\n", "100000000\r\n", "000000002\r\n", "-2\r\n", "+2\r\n", "0x2\r\n",
        "2 \r\n", " 2\r\n", "2 ;a\r\n", "\r\n", ";a\r\n", "g\r\n", "2\n{}", "2\r\n{}0\r\n\r\n", "2\r\n{}\n0\r\n\r\n",
        "2\r\n{}\r0\r\n\r\n", "2\r\n{}\r\n0\r\nbad trailer\r\n\r\n", "2\r\n{}\r\n0\r\n folded: a\r\n\r\n", "2;\u{0}\r\n",
        "2;a\nb\r\n", "2\r\n{}x", "2,3\r\n", "2\r\n{}\r\n0\r\nA: b\n\r\n",
    ])
    func refusesChunksThatAreNone(_ body: String) {
        let transcript = HTTP1Transcript.read(Self.lead + Self.chunks + "\r\n" + body)
        #expect(transcript.failure == .malformedRequest && transcript.requests.first?.isComplete == false)
    }

    @Test func boundsWhatChunksMayCost() {
        let long = "1;" + String(repeating: "x", count: 300) + "\r\n"
        #expect(Self.failure(Self.chunks, long) == .malformedRequest)
        #expect(Self.failure(Self.chunks, String(repeating: "1;\(String(repeating: "x", count: 200))\r\na\r\n", count: 200)) == .malformedRequest)
        // Honest chunks of one byte are no attack.
        let honest = String(repeating: "1\r\na\r\n", count: 100_000) + "0\r\n\r\n"
        let transcript = HTTP1Transcript.read(Self.lead + Self.chunks + "\r\n" + honest)
        #expect(transcript.requests.first?.body.count == 100_000 && transcript.requests.first?.isComplete == true)
    }

    // MARK: Limits

    @Test func boundsEveryPartOfAHead() {
        let limits = HTTP1Parser.Limits(requestLine: 64, headerBytes: 128, headerCount: 4)
        func failure(_ text: String) -> Answer? { HTTP1Transcript.read(text, limits).failure }
        let path = { (length: Int) in "GET /\(String(repeating: "a", count: length - 14)) HTTP/1.1" }
        #expect(failure(path(64) + "\r\nHost: a\r\n\r\n") == nil)
        #expect(failure(path(65) + "\r\nHost: a\r\n\r\n") == .uriTooLong)
        // Without waiting for its end.
        #expect(failure("GET /\(String(repeating: "a", count: 100))") == .uriTooLong)
        let start = "GET / HTTP/1.1\r\nHost: a\r\n"
        #expect(failure(start + "X: \(String(repeating: "a", count: 100))\r\n\r\n") == nil)
        #expect(failure(start + "X: \(String(repeating: "a", count: 120))\r\n\r\n") == .headersTooLarge)
        #expect(failure(start + "X: \(String(repeating: "a", count: 120))") == .headersTooLarge)
        #expect(failure(start + "A:\r\nB:\r\nC:\r\n\r\n") == nil)
        #expect(failure(start + "A:\r\nB:\r\nC:\r\nD:\r\n\r\n") == .headersTooLarge)
        let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
        #expect(failure(chunked + "A:\r\nB:\r\nC:\r\nD:\r\n\r\n") == nil)
        #expect(failure(chunked + "A:\r\nB:\r\nC:\r\nD:\r\nE:\r\n\r\n") == .headersTooLarge)
        #expect(failure(chunked + "A: \(String(repeating: "a", count: 130))") == .headersTooLarge)
        // As in a head, what is no header is told before what is one too many.
        #expect(failure(chunked + "A:\r\nB:\r\nC:\r\nD:\r\nno header\r\n") == .malformedRequest)
    }

    // MARK: Pieces

    static let stream = Array(
        (lead + "Authorization: Basic eA==\r\nContent-Length: 5\r\n\r\n{\r\n\r\n" + lead + "Expect: 100-continue\r\n" + chunks
            + "\r\n4;x=y\r\n\r\n\r\n\r\n1\r\n}\r\n0\r\nT: u\r\n\r\n\r\nGET /a?b HTTP/1.0\r\nConnection: keep-alive, x\r\n\r\n"
            + "HEAD http://h/x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n").utf8)

    @Test func everyCutOfAStreamReadsTheSame() {
        let whole = HTTP1Transcript.read([Self.stream[...]])
        #expect(whole.requests.count == 4 && whole.requests.allSatisfy(\.isComplete) && whole.failure == nil)
        #expect(whole == HTTP1Reference.read(Self.stream))
        for cut in 0...Self.stream.count {
            #expect(HTTP1Transcript.read([Self.stream[..<cut], Self.stream[cut...]]) == whole)
            #expect(HTTP1Transcript.read([Self.stream[..<cut]]) == HTTP1Reference.read(Array(Self.stream[..<cut])))
        }
        #expect(HTTP1Transcript.read(Self.stream.indices.map { Self.stream[$0...$0] }) == whole)
    }
}
