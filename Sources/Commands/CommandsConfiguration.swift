import ServerTLS

/// How the endpoint serves.
public struct CommandsConfiguration: Sendable {
    /// Bearer tokens go over it: reachable from this machine only, unless told otherwise, and then with TLS, its own or
    /// that of a proxy in front.
    public var host = "127.0.0.1"
    /// 0 takes any free port.
    public var port = 8090
    /// Nil: plain HTTP.
    public var tls: TLSFiles?
    /// Larger bodies get 413. The topic takes records of 1 MiB.
    public var maxBodyBytes = 256 << 10
    /// Requests that wait for the log; more get 503.
    public var maxInFlight = 256
    /// Not durable by then: 503.
    public var deadline = Duration.seconds(5)
    /// More wait in the kernel's backlog.
    public var maxConnections = 1_024
    /// A request that is not whole and answered so long after its first byte: its connection is closed.
    public var requestTimeout = Duration.seconds(30)
    /// A connection without a request for so long is closed.
    public var idleTimeout = Duration.seconds(75)

    public init() {}
}
