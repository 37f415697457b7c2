import Testing

@testable import Ingress

/// What a stream of bytes turned out to be.
struct HTTP1Transcript: Equatable, CustomStringConvertible {
    struct Request: Equatable {
        var method: RequestHead.Method
        var path: String
        var query: String?
        var framing: RequestHead.Framing
        var persistence: Persistence
        var expectation: RequestHead.Expectation
        var headers: [String]
        var body: [UInt8] = []
        var isComplete = false
    }

    var requests: [Request] = []
    var failure: Answer?

    var description: String {
        let lines = requests.map {
            "\($0.method) \($0.path)?\($0.query ?? "-") \($0.framing) \($0.persistence) \($0.expectation) \($0.headers) "
                + "\(String(decoding: $0.body, as: UTF8.self).debugDescription) \($0.isComplete)"
        }
        return lines.joined(separator: "\n") + "\n" + (failure.map { "\($0)" } ?? "open")
    }

    /// Gives the bytes to a parser piece by piece, as a connection does, and checks what must hold for any bytes.
    static func read(_ pieces: [ArraySlice<UInt8>], _ limits: HTTP1Parser.Limits = .init()) -> HTTP1Transcript {
        var parser = HTTP1Parser(limits)
        var transcript = HTTP1Transcript()
        var input: [UInt8] = []
        for piece in pieces {
            input.append(contentsOf: piece)
            reading: while true {
                let (event, taken) = parser.next(input.span.bytes)
                #expect((0...input.count).contains(taken))
                switch event {
                case .incomplete:
                    input.removeFirst(taken)
                    break reading
                case .head:
                    transcript.requests.append(Request(parser.takeHead()))
                case .body(let range):
                    #expect(!range.isEmpty && range.upperBound == taken)
                    transcript.requests[transcript.requests.count - 1].body.append(contentsOf: input[range])
                case .end:
                    transcript.requests[transcript.requests.count - 1].isComplete = true
                case .malformed(let answer):
                    transcript.failure = answer
                    // Nothing is read any more.
                    if case .malformed(answer) = parser.next(input.span.bytes).event { return transcript }
                    Issue.record("the parser went on after a failure")
                    return transcript
                }
                input.removeFirst(taken)
            }
            // A head that does not end must not be kept without end.
            #expect(input.count <= limits.requestLine + limits.headerBytes + limits.chunkLine + 8)
        }
        return transcript
    }

    static func read(_ text: String, _ limits: HTTP1Parser.Limits = .init()) -> HTTP1Transcript {
        read([Array(text.utf8)[...]], limits)
    }
}

extension HTTP1Transcript.Request {
    fileprivate static let names = ["Host", "authorization", "X-A", "Content-Length", "Connection", "traceparent"]

    init(_ head: RequestHead) {
        self.init(
            method: head.method, path: String(decoding: head.path, as: UTF8.self), query: head.query.map(String.init), framing: head.framing,
            persistence: head.persistence, expectation: head.expectation,
            headers: Self.names.map { head.header($0) ?? "-" })
    }

    /// The same from a list of headers.
    static func headers(_ fields: [(name: String, value: String)]) -> [String] {
        names.map { name in fields.first { $0.name.lowercased() == name.lowercased() }?.value ?? "-" }
    }
}

extension RequestHead {
    /// The head of a request given whole; nil for what is none.
    init?(parsing request: String) {
        var parser = HTTP1Parser(HTTP1Parser.Limits())
        guard case .head = parser.next(Array(request.utf8).span.bytes).event else { return nil }
        self = parser.takeHead()
    }
}
