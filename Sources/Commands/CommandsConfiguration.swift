/// How the endpoint serves.
public struct CommandsConfiguration: Sendable {
    /// Plain HTTP with bearer tokens: reachable from this machine only, unless told otherwise; TLS belongs in front.
    public var host = "127.0.0.1"
    /// 0 takes any free port.
    public var port = 8090
    /// Larger bodies get 413. The topic takes records of 1 MiB.
    public var maxBodyBytes = 256 << 10
    /// Requests that wait for the log; more get 503.
    public var maxInFlight = 256
    /// Not durable by then: 503.
    public var deadline = Duration.seconds(5)
    /// More wait in the kernel's backlog.
    public var maxConnections = 1_024

    public init() {}
}
