import ServerTLS

/// Settings of an `IngressServer`. The defaults are meant for production behind a proxy that ends TLS; with `tls`
/// the ingress ends it itself.
public struct IngressConfiguration: Sendable {
    public var host = "0.0.0.0"
    /// 0 lets the system choose; `IngressServer.port` tells which.
    public var port = 8080
    public var channels: IngressChannels
    /// Nil: plain HTTP.
    public var tls: TLSFiles?

    /// Largest body in bytes, before and after inflating; more is answered 413. The platform's own maximum is 3 MB
    /// (Meta, "Webhooks").
    public var maxBodyBytes = 4 << 20
    /// Bytes of all header lines of a request; more is answered 431.
    public var maxHeaderBytes = 16 << 10
    /// Containers within containers in a body, at most 128; more is answered 400. Real bodies stay below 20.
    public var maxNesting = 64
    /// Bound on the bodies being received and the records not yet durable, of all connections together. A request that
    /// does not fit is answered 503 at once.
    public var maxInFlightBytes = 64 << 20
    /// Connections beyond it are answered 503 at once and closed within a second.
    public var maxConnections = 4_096

    /// From the end of the body to the log's acknowledgement; later the sender gets 503. Well below the 5 s after which
    /// 360dialog gives up (docs.360dialog.com, "Receiving messages").
    public var ackDeadline: Duration = .seconds(3)
    /// From the first byte of a head (or the connection's begin) to its end.
    public var headerTimeout: Duration = .seconds(10)
    /// From the end of the head to the end of the body.
    public var bodyTimeout: Duration = .seconds(30)
    /// How long a connection may wait for its next request; one that has shown no credentials yet, for no longer than
    /// `headerTimeout`.
    public var idleTimeout: Duration = .seconds(75)
    /// How long a refused sender that is still sending is listened to, so that it can read the answer.
    public var lingerTimeout: Duration = .seconds(3)
    /// How long a graceful stop leaves idle connections open, for requests that are on their way: one that meets a closed
    /// connection is lost to its sender.
    public var leaveTimeout: Duration = .milliseconds(250)
    /// How long a graceful stop waits for requests that are in flight.
    public var shutdownTimeout: Duration = .seconds(10)

    /// Threads that serve connections. One is enough for two cores.
    public var eventLoopCount = 1
    /// Whether a well-formed `traceparent` of the request is continued; else every request begins a trace of its own.
    public var continuesTraces = true

    public init(channels: [IngressChannel], account: IngressChannel? = nil) {
        self.channels = IngressChannels(named: channels, account: account)
    }

    /// Whether any channel wants its bodies kept whole.
    public var keepsRaw: Bool { channels.keepsRaw }

    /// Holds `maxConnections` to what the process may open: with fewer descriptors than connections there would be none
    /// left to tell one that it is too many, nor for the log. False: it was held.
    ///
    /// - Parameters:
    ///   - limit: files and sockets that the process may have open.
    ///   - used: those that it has open.
    public mutating func holdConnections(toOpenFiles limit: Int, used: Int) -> Bool {
        // What else may be opened: the log's connections and files, the spill, admin pages.
        let others = min(256, limit / 4)
        let room = limit - used - others
        // They are the connections and their surplus, which is an eighth, but 16 at least.
        let most = max(1, min(room - AcceptGate.surplus(beyond: 0), room * 8 / 9))
        if maxConnections <= most { return true }
        maxConnections = most
        return false
    }

    /// Throws when a value makes no sense or would let in more than was meant.
    func validate() throws(IngressConfigurationError) {
        try channels.validate()
        try validateLimits()
    }

    private func validateLimits() throws(IngressConfigurationError) {
        guard (0...65_535).contains(port) else { throw IngressConfigurationError("the port must lie in 0…65535") }
        let counts = [maxBodyBytes, maxHeaderBytes, maxConnections, eventLoopCount]
        guard counts.allSatisfy({ $0 > 0 }) else { throw IngressConfigurationError("every limit must be positive") }
        guard (1...128).contains(maxNesting) else { throw IngressConfigurationError("the nesting must lie in 1…128") }
        guard maxInFlightBytes >= maxBodyBytes else {
            throw IngressConfigurationError("the in-flight limit must hold at least one body of the largest size")
        }
        let times = [ackDeadline, headerTimeout, bodyTimeout, idleTimeout, lingerTimeout, leaveTimeout, shutdownTimeout]
        guard times.allSatisfy({ $0 > .zero }) else {
            throw IngressConfigurationError("every time-out must be positive")
        }
    }
}

/// A setting the ingress refuses to start (or to go on) with. Safe to log: it names channels, never secrets.
public struct IngressConfigurationError: Error, Sendable, CustomStringConvertible {
    public let description: String

    init(_ description: String) { self.description = description }
}
