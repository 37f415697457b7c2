/// Limits and addresses of an `HTTPTransport`.
public struct HTTPTransportConfiguration: Sendable {
    /// Connections to one host and port. With an answer time of t seconds, HTTP/1.1 gives n/t requests a second over
    /// n connections.
    public var maxConnectionsPerHost: Int
    /// Connections in all, idle ones included.
    public var maxConnections: Int
    /// Requests begun and not ended, whether they wait for a connection or for an answer. Beyond: `.queueFull`.
    public var maxRequests: Int
    public var maxResponseBytes: Int
    /// For name, TCP and TLS together.
    public var connectTimeout: Duration
    /// For a whole request, waiting for a connection included.
    public var totalTimeout: Duration
    /// An idle connection of that age is not used again. The shorter, the rarer a request meets a server that has just
    /// closed it, which leaves the request's outcome unknown.
    public var maxIdleAge: Duration
    /// Takes HTTP/2 where the server offers it over TLS: many requests share a connection.
    public var usesHTTP2: Bool
    /// URL of a proxy; may hold credentials. Nil goes direct; the environment is not consulted.
    public var proxy: String?
    /// File of trusted certificates (PEM) instead of the system's.
    public var caFile: String?

    public init(
        maxConnectionsPerHost: Int = 256, maxConnections: Int = 512, maxRequests: Int = 2_048,
        maxResponseBytes: Int = 1 << 20, connectTimeout: Duration = .seconds(5), totalTimeout: Duration = .seconds(20),
        maxIdleAge: Duration = .seconds(30), usesHTTP2: Bool = true, proxy: String? = nil,
        caFile: String? = nil
    ) {
        precondition(
            maxConnectionsPerHost > 0 && maxConnections > 0 && maxRequests > 0 && maxResponseBytes > 0
                && connectTimeout > .zero && totalTimeout > .zero && maxIdleAge > .zero,
            "the limits of a transport are positive")
        self.maxConnectionsPerHost = maxConnectionsPerHost
        self.maxConnections = maxConnections
        self.maxRequests = maxRequests
        self.maxResponseBytes = maxResponseBytes
        self.connectTimeout = connectTimeout
        self.totalTimeout = totalTimeout
        self.maxIdleAge = maxIdleAge
        self.usesHTTP2 = usesHTTP2
        self.proxy = proxy
        self.caFile = caFile
    }
}
