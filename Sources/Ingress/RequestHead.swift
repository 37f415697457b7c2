import NIOCore

/// What the ingress needs to know of a request's head. The parser (`HTTP1Parser`) makes it; nothing behind it knows
/// which parser that was.
struct RequestHead {
    enum Method { case post, get, head, other }

    /// How the body is delimited (RFC 9112, 6).
    enum Framing: Equatable {
        case absent
        case length(Int)
        case chunked
        /// A transfer coding that we do not speak.
        case unsupported
        /// Contradictory or unreadable: where the next request begins is anybody's guess.
        case invalid
    }

    enum Expectation { case none, continueResponse, unknown }

    var method: Method
    /// The path, without query.
    var path: Substring
    /// What stands after the path's `?`; empty without one.
    var query: Substring = ""
    var framing: Framing
    var persistence: Persistence
    var expectation: Expectation
    /// The body is compressed or otherwise encoded.
    var hasContentEncoding: Bool
    var traceparent: String?
    /// First value of a header, by its name in any case.
    var header: (_ name: String) -> String?
}

/// What becomes of the connection after the answer, and how the answer says so.
enum Persistence: Int, CaseIterable, Sendable {
    /// HTTP/1.1: stays open without saying so.
    case open
    /// HTTP/1.0 with `Connection: keep-alive`: stays open and says so.
    case keepAlive
    case close
}

/// A piece of a request, in the order of arrival.
enum RequestPart {
    case head(RequestHead)
    case body(ByteBuffer)
    case end
    /// The bytes are no HTTP; nothing after them can be read.
    case malformed(Answer)
}

extension StringProtocol {
    /// Whether this is `token`, which is given in lower case, without regard to the case of ASCII letters.
    func isSameToken(as token: StaticString) -> Bool {
        guard utf8.count == token.utf8CodeUnitCount else { return false }
        return token.withUTF8Buffer { lower in
            var at = 0
            for byte in utf8 {
                let folded = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte) ? byte | 0x20 : byte
                guard folded == lower[at] else { return false }
                at += 1
            }
            return true
        }
    }
}
