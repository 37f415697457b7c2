/// Why a request got no complete answer, and whether the other side may have acted on it nevertheless.
///
/// Safe to log: it never holds the URL, a header or any part of a body.
public struct TransportError: Error, Sendable, Hashable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        private enum Base: String {
            case resolve, connect, tls, timeout, cut, responseTooLarge, invalidRequest, queueFull, closed, cancelled
            case transfer
        }
        private let base: Base
        private init(_ base: Base) { self.base = base }

        /// The host name (or the proxy's) has no address.
        public static let resolve = Code(.resolve)
        public static let connect = Code(.connect)
        /// No trusted, matching certificate, or no common version of TLS.
        public static let tls = Code(.tls)
        public static let timeout = Code(.timeout)
        /// The connection ended before the answer did.
        public static let cut = Code(.cut)
        /// The answer passed `maxResponseBytes`.
        public static let responseTooLarge = Code(.responseTooLarge)
        /// The request itself cannot be sent as it is.
        public static let invalidRequest = Code(.invalidRequest)
        /// As many requests as `maxRequests` wait already: push back.
        public static let queueFull = Code(.queueFull)
        /// The transport was shut down.
        public static let closed = Code(.closed)
        /// The caller's task was cancelled.
        public static let cancelled = Code(.cancelled)
        /// Anything else that libcurl reports.
        public static let transfer = Code(.transfer)

        /// One word of a closed set, for metric labels.
        public var name: String { base.rawValue }
    }

    /// What the other side can know of the request.
    public enum Delivery: Sendable, Hashable {
        /// It cannot have got the whole request: sending again is safe.
        case notSent
        /// It may have acted on it: sending again may double the effect.
        case unknown
    }

    public let code: Code
    public let delivery: Delivery
    /// libcurl's own constant words, or ours.
    public let detail: String

    public init(_ code: Code, _ delivery: Delivery, _ detail: String) {
        self.code = code
        self.delivery = delivery
        self.detail = detail
    }

    public var description: String {
        "\(code.name) (\(delivery == .notSent ? "not sent" : "outcome unknown")): \(detail)"
    }
}
