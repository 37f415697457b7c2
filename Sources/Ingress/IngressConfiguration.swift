import WhatsApp

/// One sender's address at the ingress, `POST /webhooks/{identity.name}`, and what it must prove.
public struct IngressChannel: Sendable {
    public var identity: ChannelIdentity
    public var authentication: WebhookAuthentication
    /// Bodies may speak for the channel's own number only, see `WebhookSplitter`.
    public var isBound: Bool

    public init(identity: ChannelIdentity, authentication: WebhookAuthentication, isBound: Bool = false) {
        self.identity = identity
        self.authentication = authentication
        self.isBound = isBound
    }
}

/// Settings of an `IngressServer`. The defaults are meant for production behind a proxy that ends TLS.
public struct IngressConfiguration: Sendable {
    public var host = "0.0.0.0"
    /// 0 lets the system choose; `IngressServer.port` tells which.
    public var port = 8080
    public var channels: [IngressChannel]
    /// The account-level channel behind `POST /webhooks`. Nil: that path answers 401 like an unknown channel.
    public var account: IngressChannel?

    /// Largest body in bytes; more is answered 413. The platform's own maximum is 3 MB (Meta, "Webhooks").
    public var maxBodyBytes = 4 << 20
    /// Bytes of all header lines of a request; more is answered 431.
    public var maxHeaderBytes = 16 << 10
    /// Bound on the bodies being received and the records not yet durable, of all connections together. A request that
    /// does not fit is answered 503 at once.
    public var maxInFlightBytes = 64 << 20
    /// Connections beyond it are answered 503 and closed.
    public var maxConnections = 4_096

    /// From the end of the body to the log's acknowledgement; later the sender gets 503. Well below the 5 s after which
    /// 360dialog gives up (docs.360dialog.com, "Receiving messages").
    public var ackDeadline: Duration = .seconds(3)
    /// From the first byte of a head (or the connection's begin) to its end.
    public var headerTimeout: Duration = .seconds(10)
    /// From the end of the head to the end of the body.
    public var bodyTimeout: Duration = .seconds(30)
    /// How long a connection may wait for its next request.
    public var idleTimeout: Duration = .seconds(75)
    /// How long a refused sender that is still sending is listened to, so that it can read the answer.
    public var lingerTimeout: Duration = .seconds(3)
    /// How long a graceful stop waits for requests that are in flight.
    public var shutdownTimeout: Duration = .seconds(10)

    /// Threads that serve connections. One is enough for two cores.
    public var eventLoopCount = 1
    /// Whether a well-formed `traceparent` of the request is continued; else every request begins a trace of its own.
    public var continuesTraces = true

    public init(channels: [IngressChannel], account: IngressChannel? = nil) {
        self.channels = channels
        self.account = account
    }

    /// Throws when a value makes no sense or would let in more than was meant.
    func validate() throws(IngressConfigurationError) {
        guard !channels.isEmpty || account != nil else { throw IngressConfigurationError("no channel is configured") }
        var names: Set<String> = []
        for channel in channels {
            let name = channel.identity.name
            guard !name.isEmpty, name.utf8.allSatisfy(Self.isUnreserved) else {
                throw IngressConfigurationError("a channel's name may hold letters, digits, '-', '.', '_' and '~' only")
            }
            guard names.insert(name).inserted else {
                throw IngressConfigurationError("the channel \(name) is configured twice")
            }
        }
        for channel in channels + [account].compactMap({ $0 }) {
            try Self.validate(channel.authentication, of: channel.identity.name)
        }
        try validateLimits()
    }

    private func validateLimits() throws(IngressConfigurationError) {
        guard (0...65_535).contains(port) else { throw IngressConfigurationError("the port must lie in 0…65535") }
        let counts = [maxBodyBytes, maxHeaderBytes, maxConnections, eventLoopCount]
        guard counts.allSatisfy({ $0 > 0 }) else { throw IngressConfigurationError("every limit must be positive") }
        guard maxInFlightBytes >= maxBodyBytes else {
            throw IngressConfigurationError("the in-flight limit must hold at least one body of the largest size")
        }
        let times = [ackDeadline, headerTimeout, bodyTimeout, idleTimeout, lingerTimeout, shutdownTimeout]
        guard times.allSatisfy({ $0 > .zero }) else {
            throw IngressConfigurationError("every time-out must be positive")
        }
    }

    private static func validate(
        _ authentication: WebhookAuthentication, of name: String
    ) throws(IngressConfigurationError) {
        switch authentication {
        case .none: break
        case .basic(let user, let password):
            guard !user.isEmpty, !user.contains(":"), !password.isEmpty else {
                throw IngressConfigurationError("channel \(name): Basic needs a user without ':' and a password")
            }
        case .header(let header, let value):
            guard !header.isEmpty, !value.isEmpty else {
                throw IngressConfigurationError("channel \(name): the secret header needs a name and a value")
            }
        }
    }

    /// RFC 3986, 2.3: what may stand in a path without percent-encoding.
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}

/// A setting the ingress refuses to start with. Safe to log: it names channels, never secrets.
public struct IngressConfigurationError: Error, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
