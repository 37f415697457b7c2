/// The head of a request: what the ingress must know of it, and its headers for whoever wants one.
///
/// Made by `HTTP1Parser` alone. The head's bytes are copied once; path, query and headers are looked up in them when
/// they are asked for.
struct RequestHead: Sendable {
    enum Method: Sendable { case post, get, head, other }

    /// How the body is delimited (RFC 9112, 6).
    enum Framing: Equatable, Sendable {
        case absent
        case length(Int)
        case chunked
        /// A transfer coding that we do not speak.
        case unsupported
        /// Contradictory or unreadable: where the next request begins is anybody's guess.
        case invalid
    }

    enum Expectation: Sendable { case none, continueResponse, unknown }

    fileprivate(set) var method: Method
    fileprivate(set) var framing = Framing.absent
    fileprivate(set) var persistence = Persistence.close
    fileprivate(set) var expectation = Expectation.none
    /// Header lines that say how the body is compressed or otherwise encoded.
    fileprivate(set) var contentEncodings = 0
    fileprivate var traceparentRange: Range<Int>?
    fileprivate var pathRange: Range<Int>
    fileprivate var queryRange: Range<Int>?
    fileprivate var fields: [Field] = []
    /// From the request line to the blank line.
    fileprivate var bytes: [UInt8] = []

    /// The path, percent-encoding left as it is, without query.
    var path: ArraySlice<UInt8> { bytes[pathRange] }

    /// What follows the first `?` of the target; nil without one.
    var query: Substring? { queryRange.map { Substring(String(decoding: bytes[$0], as: UTF8.self)) } }

    /// The first header of that name.
    var traceparent: [UInt8]? { traceparentRange.map { Array(bytes[$0]) } }

    /// First value of a header, by its name in any case; blanks around it are no part of it.
    func header(_ name: String) -> String? {
        headerBytes(Array(name.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }

    /// The same without making text of it.
    func headerBytes(_ name: [UInt8]) -> ArraySlice<UInt8>? {
        for index in fields.indices where Int(fields[index].nameLength) == name.count {
            let start = Int(fields[index].start)
            let isSame = name.indices.allSatisfy { bytes[start + $0].asciiLowercased == name[$0].asciiLowercased }
            if isSame { return bytes[fields[index].value] }
        }
        return nil
    }
}

extension RequestHead {
    /// One header line: where its name and value lie.
    struct Field: Sendable {
        fileprivate var start: UInt32
        fileprivate var nameLength: UInt32
        fileprivate var valueStart: UInt32
        fileprivate var valueEnd: UInt32

        fileprivate var name: Range<Int> { Int(start)..<Int(start) + Int(nameLength) }
        fileprivate var value: Range<Int> { Int(valueStart)..<Int(valueEnd) }

        /// Nil unless the line is `token ":" value`. A line that begins with a blank would continue the one before
        /// (obs-fold), and a blank before the colon hides a name from some readers: neither is a token.
        init?(_ input: RawSpan, _ line: Range<Int>) {
            var at = line.lowerBound
            while at < line.upperBound, input[at].isTokenCharacter { at += 1 }
            guard at > line.lowerBound, at < line.upperBound, input[at] == UInt8(ascii: ":") else { return nil }
            let value = input.trimmed(at + 1..<line.upperBound)
            (start, nameLength) = (UInt32(line.lowerBound), UInt32(at - line.lowerBound))
            (valueStart, valueEnd) = (UInt32(value.lowerBound), UInt32(value.upperBound))
        }
    }

    /// A head while its lines are read: all offsets are those of the input.
    struct Draft {
        private var head: RequestHead
        private let isHTTP11: Bool
        /// Where the header lines begin.
        let fieldsStart: Int
        private let start: Int
        private var hosts = 0
        private var saysClose = false
        private var saysKeepAlive = false

        /// `method SP target SP version`, and nothing else (RFC 9112, 3).
        init?(_ input: RawSpan, requestLine line: Range<Int>) {
            // " HTTP/1.x" is the last nine bytes.
            let targetEnd = line.upperBound - 9
            var at = line.lowerBound
            while at < targetEnd, input[at].isTokenCharacter { at += 1 }
            guard at > line.lowerBound, at + 1 < targetEnd, input[at] == .space else { return nil }
            guard input.isEqual(targetEnd..<targetEnd + 8, to: " HTTP/1.") else { return nil }
            switch input[line.upperBound - 1] {
            case UInt8(ascii: "1"): isHTTP11 = true
            case UInt8(ascii: "0"): isHTTP11 = false
            default: return nil
            }
            let method = line.lowerBound..<at
            guard let target = Target(input, at + 1..<targetEnd, isConnect: input.isEqual(method, to: "CONNECT")) else {
                return nil
            }
            head = RequestHead(method: Self.method(input, method), pathRange: target.path, queryRange: target.query)
            head.fields.reserveCapacity(12)
            // Nothing of HTTP follows a CONNECT.
            saysClose = input.isEqual(method, to: "CONNECT")
            start = line.lowerBound
            fieldsStart = line.upperBound + 2
        }

        private static func method(_ input: RawSpan, _ range: Range<Int>) -> Method {
            if input.isEqual(range, to: "POST") { return .post }
            if input.isEqual(range, to: "GET") { return .get }
            return input.isEqual(range, to: "HEAD") ? .head : .other
        }

        /// Takes a header line; an answer says what is wrong with it.
        mutating func take(_ input: RawSpan, field line: Range<Int>, maxCount: Int) -> Answer? {
            guard let field = Field(input, line) else { return .malformedRequest }
            guard head.fields.count < maxCount else { return .headersTooLarge }
            head.fields.append(field)
            let (name, value) = (field.name, field.value)
            switch name.count {
            case 4 where input.isSameToken(name, as: "host"): readHost(input, value)
            case 6 where input.isSameToken(name, as: "expect"): readExpectation(input, value)
            case 10 where input.isSameToken(name, as: "connection"): readConnection(input, value)
            case 11 where head.traceparentRange == nil && input.isSameToken(name, as: "traceparent"):
                head.traceparentRange = value
            case 14 where input.isSameToken(name, as: "content-length"): readContentLength(input, value)
            case 16 where input.isSameToken(name, as: "content-encoding"):
                if !input.isSameToken(value, as: "identity") { head.contentEncodings += 1 }
            case 17 where input.isSameToken(name, as: "transfer-encoding"): readTransferEncoding(input, value)
            default: break
            }
            return nil
        }

        /// The whole head, which ends before `end`.
        consuming func finish(_ input: RawSpan, end: Int) -> RequestHead {
            // RFC 9112, 3.2: exactly one Host, from HTTP/1.1 on.
            if hosts > 1 || (hosts == 0 && isHTTP11) { head.framing = .invalid }
            if !isHTTP11 { head.expectation = .none }
            if !saysClose, isHTTP11 || saysKeepAlive { head.persistence = isHTTP11 ? .open : .keepAlive }
            // From the input's very beginning, so that offsets stay true.
            head.bytes = input.copy(0..<end)
            return head
        }

        private mutating func readHost(_ input: RawSpan, _ value: Range<Int>) {
            hosts += 1
            for at in value where !input[at].isHostCharacter { head.framing = .invalid }
        }

        private mutating func readExpectation(_ input: RawSpan, _ value: Range<Int>) {
            let isContinue = input.isSameToken(value, as: "100-continue") && head.expectation != .unknown
            head.expectation = isContinue ? .continueResponse : .unknown
        }

        private mutating func readConnection(_ input: RawSpan, _ value: Range<Int>) {
            var start = value.lowerBound
            for at in value.lowerBound...value.upperBound
            where at == value.upperBound || input[at] == UInt8(ascii: ",") {
                let option = input.trimmed(start..<at)
                if input.isSameToken(option, as: "close") { saysClose = true }
                if input.isSameToken(option, as: "keep-alive") { saysKeepAlive = true }
                start = at + 1
            }
        }

        /// Any second header that speaks of framing is smuggling or a broken proxy.
        private mutating func readContentLength(_ input: RawSpan, _ value: Range<Int>) {
            var length = 0
            guard head.framing == .absent, !value.isEmpty else { return head.framing = .invalid }
            for at in value {
                let digit = input[at] &- UInt8(ascii: "0")
                let (tens, isTooLong) = length.multipliedReportingOverflow(by: 10)
                let (sum, isTooLarge) = tens.addingReportingOverflow(Int(digit))
                // What does not fit into 63 bits wraps around in some readers, to a small number.
                guard digit < 10, !isTooLong, !isTooLarge else { return head.framing = .invalid }
                length = sum
            }
            head.framing = .length(length)
        }

        private mutating func readTransferEncoding(_ input: RawSpan, _ value: Range<Int>) {
            guard head.framing == .absent, isHTTP11 else { return head.framing = .invalid }
            head.framing = input.isSameToken(value, as: "chunked") ? .chunked : .unsupported
        }
    }

    private init(method: Method, pathRange: Range<Int>, queryRange: Range<Int>?) {
        self.method = method
        self.pathRange = pathRange
        self.queryRange = queryRange
    }
}

/// A request's target: where its path and its query lie (RFC 9112, 3.2).
private struct Target {
    let path: Range<Int>
    let query: Range<Int>?

    /// A path, a whole URL, `*`, or anything visible of a CONNECT; nil for what is none of them.
    init?(_ input: RawSpan, _ target: Range<Int>, isConnect: Bool) {
        for at in target where !input[at].isVisible || input[at] == UInt8(ascii: "#") { return nil }
        var start = target.lowerBound
        if input[start] != UInt8(ascii: "/"), !isConnect, !input.isEqual(target, to: "*") {
            guard let authority = Self.authority(input, target) else { return nil }
            start = authority
            while start < target.upperBound, input[start] != UInt8(ascii: "/"), input[start] != UInt8(ascii: "?") {
                start += 1
            }
            if start == authority { return nil }
        }
        var end = start
        while end < target.upperBound, input[end] != UInt8(ascii: "?") { end += 1 }
        path = start..<end
        query = end < target.upperBound ? end + 1..<target.upperBound : nil
    }

    /// Where the authority of a whole URL begins.
    private static func authority(_ input: RawSpan, _ target: Range<Int>) -> Int? {
        for scheme: StaticString in ["http://", "https://"] {
            let end = target.lowerBound + scheme.utf8CodeUnitCount
            if end < target.upperBound, input.isSameToken(target.lowerBound..<end, as: scheme) { return end }
        }
        return nil
    }
}

extension UInt8 {
    /// A character of a host with its port (RFC 3986, 3.2.2): no blank, nothing that would end an authority.
    fileprivate var isHostCharacter: Bool {
        switch self {
        case UInt8(ascii: "/"), UInt8(ascii: "?"), UInt8(ascii: "#"), UInt8(ascii: "@"), UInt8(ascii: "\\"),
            UInt8(ascii: ","), UInt8(ascii: "\""):
            false
        default: isVisible
        }
    }
}

/// What becomes of the connection after the answer, and how the answer says so.
enum Persistence: Int, CaseIterable, Sendable {
    /// HTTP/1.1: stays open without saying so.
    case open
    /// HTTP/1.0 with `Connection: keep-alive`: stays open and says so.
    case keepAlive
    case close
}

extension ArraySlice<UInt8> {
    /// Whether this is `token`, which is given in lower case, without regard to the case of ASCII letters.
    func isSameToken(as token: StaticString) -> Bool {
        count == token.utf8CodeUnitCount && indices.allSatisfy { self[$0].asciiLowercased == token.utf8Start[$0 - startIndex] }
    }

    func starts(with text: StaticString) -> Bool {
        guard count >= text.utf8CodeUnitCount else { return false }
        return (0..<text.utf8CodeUnitCount).allSatisfy { self[startIndex + $0] == text.utf8Start[$0] }
    }
}
