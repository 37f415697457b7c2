/// A request for `HTTPTransport`.
///
/// Its description shows neither headers nor body: they carry keys and messages.
public struct HTTPRequest: Sendable, CustomStringConvertible {
    public var method: String
    /// Absolute, `http` or `https`. Redirects are never followed.
    public var url: String
    public var headers: HTTPHeaders
    public var body: [UInt8]
    /// Replaces the transport's total time-out for this request.
    public var timeout: Duration?

    public init(
        method: String = "POST", url: String, headers: HTTPHeaders, body: [UInt8] = [], timeout: Duration? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
    }

    public init(
        method: String = "POST", url: String, headers: [HTTPField] = [], body: [UInt8] = [], timeout: Duration? = nil
    ) {
        self.init(method: method, url: url, headers: HTTPHeaders(headers), body: body, timeout: timeout)
    }

    public var description: String { "HTTPRequest(\(method), \(body.count) bytes)" }
}

/// One header field.
public struct HTTPField: Sendable, Hashable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// A complete answer.
public struct HTTPResponse: Sendable, CustomStringConvertible {
    public var status: Int
    public var body: [UInt8]
    /// The lines of the head as they came. Few callers look at them, so they are taken apart when somebody does.
    var head: [UInt8]

    init(status: Int = 0, head: [UInt8] = [], body: [UInt8] = []) {
        self.status = status
        self.head = head
        self.body = body
    }

    /// In the order received; bytes that are not UTF-8 are replaced.
    public var headers: [HTTPField] {
        head.split(separator: UInt8(ascii: "\n")).compactMap { line in
            guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { return nil }
            let name = String(decoding: line[..<colon], as: UTF8.self)
            return HTTPField(name, String(decoding: line[(colon + 1)...].trimmingBlanks, as: UTF8.self))
        }
    }

    /// First value of a header; names compare without case.
    public func header(_ name: String) -> String? {
        let wanted = name.lowercased()
        return headers.first { $0.name.lowercased() == wanted }?.value
    }

    public var description: String { "HTTPResponse(\(status), \(body.count) bytes)" }
}

extension HTTPRequest {
    /// Nil when the request is safe to hand to libcurl: nothing in it can break out of its line.
    var fault: String? {
        if method.isEmpty || !method.utf8.allSatisfy(Self.isToken) { return "method is not a token" }
        if !hasKnownScheme { return "URL is not http or https" }
        if !url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) { return "URL holds blanks or control characters" }
        return headers.fault
    }

    private var hasKnownScheme: Bool {
        ["http://", "https://"].contains { (scheme: StaticString) in
            scheme.withUTF8Buffer { scheme in
                url.utf8.prefix(scheme.count).elementsEqual(scheme) { $0 | ($0 >= 0x41 && $0 <= 0x5a ? 0x20 : 0) == $1 }
            }
        }
    }

    /// By the scheme, which has been looked at before.
    var isSecure: Bool { (url.utf8.dropFirst(4).first ?? 0) | 0x20 == UInt8(ascii: "s") }

    /// A character of a token, RFC 9110 section 5.6.2.
    static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}

extension ArraySlice<UInt8> {
    fileprivate var trimmingBlanks: Self {
        var rest = self
        while let first = rest.first, first <= 0x20 { rest.removeFirst() }
        while let last = rest.last, last <= 0x20 { rest.removeLast() }
        return rest
    }
}
