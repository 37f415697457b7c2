/// A request for `HTTPTransport`.
///
/// Its description shows neither headers nor body: they carry keys and messages.
public struct HTTPRequest: Sendable, CustomStringConvertible {
    public var method: String
    /// Absolute, `http` or `https`. Redirects are never followed.
    public var url: String
    public var headers: [HTTPField]
    public var body: [UInt8]
    /// Replaces the transport's total time-out for this request.
    public var timeout: Duration?

    public init(
        method: String = "POST", url: String, headers: [HTTPField] = [], body: [UInt8] = [], timeout: Duration? = nil
    ) {
        self.method = method
        self.url = url
        self.headers = headers
        self.body = body
        self.timeout = timeout
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
    /// In the order received; bytes that are not UTF-8 are replaced.
    public var headers: [HTTPField]
    public var body: [UInt8]

    public init(status: Int, headers: [HTTPField] = [], body: [UInt8] = []) {
        self.status = status
        self.headers = headers
        self.body = body
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
        let scheme = url.prefix(8).lowercased()
        if !scheme.hasPrefix("http://") && !scheme.hasPrefix("https://") { return "URL is not http or https" }
        if !url.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f }) { return "URL holds blanks or control characters" }
        for field in headers {
            if field.name.isEmpty || !field.name.utf8.allSatisfy(Self.isToken) { return "header name is not a token" }
            if !field.value.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f || $0 == 0x09 }) {
                return "header value holds control characters"
            }
        }
        return nil
    }

    /// A character of a token, RFC 9110 section 5.6.2.
    private static func isToken(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
        }
    }
}
