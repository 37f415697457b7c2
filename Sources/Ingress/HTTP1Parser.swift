import NIOCore
import NIOHTTP1

/// The fence around NIOHTTP1: the only file that knows which parser reads the requests.
enum HTTP1Parser {
    typealias Part = HTTPServerRequestPart

    /// Puts the parser at the end of the pipeline.
    static func add(to pipeline: ChannelPipeline.SynchronousOperations, maxHeaderBytes: Int) throws {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = maxHeaderBytes
        limits.maxHeaderListSize = maxHeaderBytes
        limits.maxHeaderFieldCount = 100
        let decoder = HTTPRequestDecoder(
            leftOverBytesStrategy: .dropBytes, informationalResponseStrategy: .drop, limitConfiguration: limits)
        try pipeline.addHandler(ByteToMessageHandler(decoder))
    }

    /// What to answer to bytes that the parser refused; nil for errors of the connection itself.
    static func answer(to error: any Error) -> Answer? {
        switch error {
        case HTTPParserError.headerOverflow: .headersTooLarge
        case is HTTPParserError: .malformedRequest
        default: nil
        }
    }

    /// Bytes that arrived after the parser had given up; they are in no request.
    static func bytesAfterFailure(in error: any Error) -> Int? {
        guard let error = error as? ByteToMessageDecoderError, case .dataReceivedInErrorState(_, let buffer) = error
        else { return nil }
        return buffer.readableBytes
    }
}

extension RequestPart {
    init(_ part: HTTP1Parser.Part) {
        switch part {
        case .head(let head): self = .head(RequestHead(head))
        case .body(let bytes): self = .body(bytes)
        case .end: self = .end
        }
    }
}

extension RequestHead {
    /// Reads all headers that matter in one pass.
    init(_ head: HTTPRequestHead) {
        let headers = head.headers
        let (path, query) = Self.path(of: head.uri)
        self.init(
            method: Method(head.method), path: path, query: query, framing: .absent, persistence: .close,
            expectation: .none, hasContentEncoding: false, traceparent: nil, header: { headers.first(name: $0) })
        let isHTTP11 = head.version.minor >= 1
        var hosts = 0
        // After an upgrade (or CONNECT) NIO's parser stops at the end of the message: such a connection must end.
        var leavesHTTP = head.method == .CONNECT
        for (name, value) in headers {
            switch name.utf8.count {
            case 4 where name.isSameToken(as: "host"): hosts += 1
            case 6 where name.isSameToken(as: "expect"):
                expectation = value.isSameToken(as: "100-continue") ? .continueResponse : .unknown
            case 7 where name.isSameToken(as: "upgrade"): leavesHTTP = true
            case 11 where name.isSameToken(as: "traceparent"): traceparent = value
            case 14 where name.isSameToken(as: "content-length"): readContentLength(value)
            case 16 where name.isSameToken(as: "content-encoding"):
                hasContentEncoding = hasContentEncoding || !value.isSameToken(as: "identity")
            case 17 where name.isSameToken(as: "transfer-encoding"):
                readTransferEncoding(value, isHTTP11: isHTTP11)
            default: break
            }
        }
        // RFC 9112, 3.2: exactly one Host, from HTTP/1.1 on.
        if hosts > 1 || (hosts == 0 && isHTTP11) { framing = .invalid }
        if !isHTTP11 { expectation = .none }
        if head.isKeepAlive, !leavesHTTP { persistence = isHTTP11 ? .open : .keepAlive }
    }

    private mutating func readContentLength(_ value: String) {
        // `Int` takes a sign, a length has none. Any second framing header is smuggling or a broken proxy.
        guard framing == .absent, value.utf8.allSatisfy({ (0x30...0x39).contains($0) }), let length = Int(value) else {
            framing = .invalid
            return
        }
        framing = .length(length)
    }

    private mutating func readTransferEncoding(_ value: String, isHTTP11: Bool) {
        guard framing == .absent, isHTTP11 else {
            framing = .invalid
            return
        }
        framing = value.isSameToken(as: "chunked") ? .chunked : .unsupported
    }

    /// Path and query of a request target, which may be a whole URL (RFC 9112, 3.2.2).
    private static func path(of target: String) -> (path: Substring, query: Substring) {
        var path = Substring(target)
        for scheme in ["http://", "https://"] where path.hasPrefix(scheme) {
            path = path.dropFirst(scheme.count).drop { $0 != "/" }
            break
        }
        guard let mark = path.utf8.firstIndex(of: UInt8(ascii: "?")) else { return (path, "") }
        return (path[..<mark], path[mark...].dropFirst())
    }
}

extension RequestHead.Method {
    fileprivate init(_ method: HTTPMethod) {
        switch method {
        case .POST: self = .post
        case .GET: self = .get
        case .HEAD: self = .head
        default: self = .other
        }
    }
}
