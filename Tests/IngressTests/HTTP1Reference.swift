@testable import Ingress

/// The grammar of RFC 9112 once more, written to be read and not to be fast: the whole input at once, line by line, in
/// text. The parser must come to the same result on any bytes.
struct HTTP1Reference {
    private enum Stop: Error {
        case incomplete
        case refused(Answer)
    }

    private let input: [UInt8]
    private let limits: HTTP1Parser.Limits
    private var at = 0
    private var transcript = HTTP1Transcript()

    static func read(_ input: [UInt8], _ limits: HTTP1Parser.Limits = .init()) -> HTTP1Transcript {
        var reference = HTTP1Reference(input: input, limits: limits)
        do {
            while true { try reference.request() }
        } catch Stop.refused(let answer) {
            reference.transcript.failure = answer
        } catch {}
        return reference.transcript
    }

    private init(input: [UInt8], limits: HTTP1Parser.Limits) {
        self.input = input
        self.limits = limits
    }

    /// The next line in Latin-1, without CRLF.
    private mutating func line(limit: Int, _ tooLong: Answer) throws -> String {
        var end = at
        while true {
            if end - at > limit { throw Stop.refused(tooLong) }
            guard end < input.count else { throw Stop.incomplete }
            let byte = input[end]
            if byte == 13 {
                guard end + 1 < input.count else { throw Stop.incomplete }
                guard input[end + 1] == 10 else { throw Stop.refused(.malformedRequest) }
                break
            }
            if byte < 32 && byte != 9 || byte == 127 { throw Stop.refused(.malformedRequest) }
            end += 1
        }
        defer { at = end + 2 }
        var text = ""
        for byte in input[at..<end] { text.unicodeScalars.append(Unicode.Scalar(byte)) }
        return text
    }

    private static let token = Set("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".unicodeScalars)

    private func refuse() -> Stop { .refused(.malformedRequest) }

    private mutating func request() throws {
        var first = try line(limit: limits.requestLine, .uriTooLong)
        if first.isEmpty { first = try line(limit: limits.requestLine, .uriTooLong) }
        let words = first.unicodeScalars.split(separator: " ", omittingEmptySubsequences: false).map(String.init)
        guard words.count == 3, !words[0].isEmpty, words[0].unicodeScalars.allSatisfy(Self.token.contains),
            words[2] == "HTTP/1.1" || words[2] == "HTTP/1.0"
        else { throw refuse() }
        let (path, query) = try target(words[1], words[0])
        let fields = try fields(limits.headerBytes)
        let isHTTP11 = words[2] == "HTTP/1.1"
        func all(_ name: String) -> [String] { fields.filter { $0.name.lowercased() == name }.map(\.value) }
        let framing = framing(all("content-length"), all("transfer-encoding"), all("host"), isHTTP11)
        let options = all("connection").flatMap { $0.unicodeScalars.split(separator: ",") }
            .map { Self.trimmed(String($0)).lowercased() }
        let isClosing = options.contains("close") || words[0] == "CONNECT"
        let expectations = all("expect").map { $0.lowercased() }
        transcript.requests.append(
            HTTP1Transcript.Request(
                method: words[0] == "POST" ? .post : words[0] == "GET" ? .get : words[0] == "HEAD" ? .head : .other,
                path: path, query: query, framing: framing,
                persistence: isClosing ? .close : isHTTP11 ? .open : options.contains("keep-alive") ? .keepAlive : .close,
                expectation: !isHTTP11 || expectations.isEmpty
                    ? .none : expectations.allSatisfy { $0 == "100-continue" } ? .continueResponse : .unknown,
                headers: HTTP1Transcript.Request.headers(fields.map { ($0.name, Self.decoded($0.value)) })))
        try body(framing)
        transcript.requests[transcript.requests.count - 1].isComplete = true
    }

    /// Header values are bytes; as text they are read as UTF-8.
    private static func decoded(_ latin1: String) -> String {
        String(decoding: latin1.unicodeScalars.map { UInt8($0.value) }, as: UTF8.self)
    }

    private static func trimmed(_ text: String) -> String {
        var scalars = text.unicodeScalars[...]
        while let first = scalars.first, first == " " || first == "\t" { scalars.removeFirst() }
        while let last = scalars.last, last == " " || last == "\t" { scalars.removeLast() }
        return String(scalars)
    }

    private func target(_ text: String, _ method: String) throws -> (String, String?) {
        guard !text.isEmpty, text.unicodeScalars.allSatisfy({ ("!"..."~").contains($0) && $0 != "#" }) else {
            throw refuse()
        }
        var rest = text
        if !text.hasPrefix("/"), text != "*", method != "CONNECT" {
            guard let scheme = ["http://", "https://"].first(where: text.lowercased().hasPrefix) else { throw refuse() }
            let afterScheme = text.dropFirst(scheme.count)
            let path = afterScheme.drop { $0 != "/" && $0 != "?" }
            if afterScheme.count == path.count { throw refuse() }
            rest = String(path)
        }
        let parts = rest.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        return (parts[0], parts.count > 1 ? parts[1] : nil)
    }

    private mutating func fields(_ maxBytes: Int) throws -> [(name: String, value: String)] {
        let start = at
        var fields: [(name: String, value: String)] = []
        while true {
            let line = try line(limit: max(0, maxBytes - (at - start)), .headersTooLarge)
            if line.isEmpty { return fields }
            let parts = line.unicodeScalars.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, parts[0].allSatisfy(Self.token.contains) else { throw refuse() }
            if fields.count == limits.headerCount { throw Stop.refused(.headersTooLarge) }
            fields.append((String(parts[0]), Self.trimmed(String(parts[1]))))
        }
    }

    private func framing(
        _ lengths: [String], _ codings: [String], _ hosts: [String], _ isHTTP11: Bool
    ) -> RequestHead.Framing {
        guard lengths.count + codings.count <= 1, hosts.count <= 1, hosts.count == 1 || !isHTTP11 else { return .invalid }
        let forbidden = Set("/?#@\\,\"".unicodeScalars)
        if let host = hosts.first, !host.unicodeScalars.allSatisfy({ ("!"..."~").contains($0) && !forbidden.contains($0) }) {
            return .invalid
        }
        if let coding = codings.first {
            if !isHTTP11 { return .invalid }
            return coding.lowercased() == "chunked" ? .chunked : .unsupported
        }
        guard let length = lengths.first else { return .absent }
        guard length.unicodeScalars.allSatisfy({ ("0"..."9").contains($0) }), let count = Int(length) else {
            return .invalid
        }
        return .length(count)
    }

    private mutating func body(_ framing: RequestHead.Framing) throws {
        switch framing {
        case .absent: break
        case .length(let length): try take(length)
        case .unsupported: throw Stop.refused(.unsupportedTransferCoding)
        case .invalid: throw refuse()
        case .chunked:
            var overhead = 0
            while true {
                let line = try line(limit: limits.chunkLine, .malformedRequest)
                let digits = line.unicodeScalars.prefix { "0123456789abcdefABCDEF".unicodeScalars.contains($0) }
                let rest = line.unicodeScalars.dropFirst(digits.count)
                guard (1...8).contains(digits.count), rest.isEmpty || rest.first == ";" else { throw refuse() }
                let size = Int(String(digits), radix: 16)!
                overhead = max(0, overhead + line.unicodeScalars.count + 2 - 16 - 2 * size)
                if overhead > limits.chunkOverhead { throw refuse() }
                if size == 0 { break }
                try take(size)
                for expected: UInt8 in [13, 10] {
                    guard at < input.count else { throw Stop.incomplete }
                    guard input[at] == expected else { throw refuse() }
                    at += 1
                }
            }
            _ = try fields(limits.headerBytes)
        }
    }

    private mutating func take(_ count: Int) throws {
        let taken = min(count, input.count - at)
        transcript.requests[transcript.requests.count - 1].body.append(contentsOf: input[at..<at + taken])
        at += taken
        if taken < count { throw Stop.incomplete }
    }
}
