/// Every answer the ingress can give. The set is closed, so all of them are written as bytes once, at start.
///
/// An error's body is `{"error":{"code":"…","message":"…"}}` with fixed text: nothing of a request ever comes back.
enum Answer: Int, CaseIterable, Error, Sendable {
    case stored
    case invalidJSON, invalidEncoding, malformedRequest
    case unauthorized, forbidden, notFound, methodNotAllowed
    case requestTimeout, lengthRequired, bodyTooLarge, uriTooLong, unsupportedEncoding, expectationFailed, headersTooLarge
    case unsupportedTransferCoding
    case ackDeadline, logUnavailable, overloaded, tooManyConnections

    var status: String {
        switch self {
        case .stored: "200 OK"
        case .invalidJSON, .invalidEncoding, .malformedRequest: "400 Bad Request"
        case .unauthorized: "401 Unauthorized"
        case .forbidden: "403 Forbidden"
        case .notFound: "404 Not Found"
        case .methodNotAllowed: "405 Method Not Allowed"
        case .requestTimeout: "408 Request Timeout"
        case .lengthRequired: "411 Length Required"
        case .bodyTooLarge: "413 Content Too Large"
        case .uriTooLong: "414 URI Too Long"
        case .unsupportedEncoding: "415 Unsupported Media Type"
        case .expectationFailed: "417 Expectation Failed"
        case .headersTooLarge: "431 Request Header Fields Too Large"
        case .unsupportedTransferCoding: "501 Not Implemented"
        case .ackDeadline, .logUnavailable, .overloaded, .tooManyConnections: "503 Service Unavailable"
        }
    }

    /// One word for the error's body and for metrics.
    var code: String {
        switch self {
        case .stored: "stored"
        case .invalidJSON: "invalid_json"
        case .invalidEncoding: "invalid_encoding"
        case .malformedRequest: "malformed_request"
        case .unauthorized: "unauthorized"
        case .forbidden: "forbidden"
        case .notFound: "not_found"
        case .methodNotAllowed: "method_not_allowed"
        case .requestTimeout: "request_timeout"
        case .lengthRequired: "length_required"
        case .bodyTooLarge: "body_too_large"
        case .uriTooLong: "uri_too_long"
        case .unsupportedEncoding: "unsupported_encoding"
        case .expectationFailed: "expectation_failed"
        case .headersTooLarge: "headers_too_large"
        case .unsupportedTransferCoding: "unsupported_transfer_coding"
        case .ackDeadline: "ack_deadline"
        case .logUnavailable: "log_unavailable"
        case .overloaded: "overloaded"
        case .tooManyConnections: "too_many_connections"
        }
    }

    private var message: String {
        switch self {
        case .stored: ""
        case .invalidJSON: "The body must be exactly one JSON object."
        case .invalidEncoding: "The body is not what its Content-Encoding says."
        case .malformedRequest: "The request is not well-formed HTTP/1.1."
        case .unauthorized: "Credentials are missing or wrong."
        case .forbidden: "The verify token is wrong."
        case .notFound: "There is nothing at this path."
        case .methodNotAllowed: "Webhooks are posted."
        case .requestTimeout: "The request took too long to arrive."
        case .lengthRequired: "The request needs a Content-Length or chunks."
        case .bodyTooLarge: "The body is larger than the limit."
        case .uriTooLong: "The request line is longer than the limit."
        case .unsupportedEncoding: "Bodies may be encoded with gzip or deflate, once."
        case .expectationFailed: "Only 100-continue can be expected."
        case .headersTooLarge: "The headers are larger than the limit."
        case .unsupportedTransferCoding: "Only chunked is taken as transfer coding."
        case .ackDeadline: "The log did not confirm in time. Send it again."
        case .logUnavailable: "The log cannot take it now. Send it again."
        case .overloaded: "Too much is in flight. Send it again."
        case .tooManyConnections: "Too many connections. Send it again."
        }
    }

    /// Headers that the status demands (RFC 9110, 10.2.1, 10.2.3, 11.6.1).
    private var extraHeaders: String {
        switch self {
        case .unauthorized: "WWW-Authenticate: Basic realm=\"webhooks\"\r\n"
        case .methodNotAllowed: "Allow: POST\r\n"
        // RFC 9110, 15.5.16.
        case .unsupportedEncoding: "Accept-Encoding: gzip, deflate\r\n"
        case .ackDeadline, .logUnavailable, .overloaded, .tooManyConnections: "Retry-After: 1\r\n"
        default: ""
        }
    }

    /// Whether the connection is of no more use, whatever the request said.
    var endsConnection: Bool {
        switch self {
        case .malformedRequest, .requestTimeout, .uriTooLong, .headersTooLarge, .unsupportedTransferCoding, .tooManyConnections:
            true
        default: false
        }
    }

    /// The whole answer on the wire. To HEAD it goes without its body (`withBody: false`).
    func bytes(_ persistence: Persistence, withBody: Bool) -> UnsafeRawBufferPointer {
        Self.table[(rawValue * Persistence.allCases.count + persistence.rawValue) * 2 + (withBody ? 1 : 0)]
    }

    // Likewise.
    nonisolated(unsafe) static let continueResponse = keep("HTTP/1.1 100 Continue\r\n\r\n")

    // Never changed once made, so any thread may read it.
    nonisolated(unsafe) private static let table = allCases.flatMap { answer in
        Persistence.allCases.flatMap { persistence in
            [keep(answer.written(persistence, withBody: false)), keep(answer.written(persistence, withBody: true))]
        }
    }

    /// For as long as the process lives: nobody counts references to it.
    private static func keep(_ text: String) -> UnsafeRawBufferPointer {
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: text.utf8.count, alignment: 1)
        bytes.copyBytes(from: text.utf8)
        return UnsafeRawBufferPointer(bytes)
    }

    private func written(_ persistence: Persistence, withBody: Bool) -> String {
        let body = self == .stored ? "" : #"{"error":{"code":"\#(code)","message":"\#(message)"}}"#
        var head = "HTTP/1.1 \(status)\r\n\(extraHeaders)"
        if !body.isEmpty { head += "Content-Type: application/json\r\n" }
        return Self.written(head, body, persistence, withBody: withBody)
    }

    /// The one answer with text from outside: a handshake's challenge, sent back to who knows the channel's token.
    static func challenge(_ text: String, _ persistence: Persistence) -> String {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Content-Type-Options: nosniff\r\n"
        return written(head, text, persistence, withBody: true)
    }

    private static func written(
        _ start: String, _ body: String, _ persistence: Persistence, withBody: Bool
    ) -> String {
        var head = start
        head += "Content-Length: \(body.utf8.count)\r\n"
        switch persistence {
        case .open: break
        case .keepAlive: head += "Connection: keep-alive\r\n"
        case .close: head += "Connection: close\r\n"
        }
        return head + "\r\n" + (withBody ? body : "")
    }
}
