import D360
import Service

extension HTTPTransportConfiguration {
    /// How the sender reaches 360dialog.
    ///
    /// | environment | in the file | default | what |
    /// |---|---|---|---|
    /// | `MILLRACE_HTTP_CONNECTIONS_PER_HOST` | `http.connectionsPerHost` | 512 | connections to one host (1 to 4,096) |
    /// | `MILLRACE_HTTP_CONNECTIONS` | `http.connections` | 1024 | connections in all (1 to 8,192) |
    /// | `MILLRACE_HTTP_CONNECT_TIMEOUT_MS` | `http.connectTimeoutMs` | 5000 | name, TCP and TLS (100 to 20,000) |
    /// | `MILLRACE_HTTP_TIMEOUT_MS` | `http.timeoutMs` | 20000 | a whole request (500 to 25,000) |
    /// | `MILLRACE_HTTP_IDLE_SECONDS` | `http.idleSeconds` | 30 | age at which an idle connection is not used again (1 to 600) |
    /// | `MILLRACE_HTTP_VERSION` | `http.version` | 2 | 2: HTTP/2 where the server offers it; 1: never |
    /// | `MILLRACE_HTTP_PROXY` | `http.proxy` | none | URL of a proxy, may hold credentials; `http_proxy` is not consulted |
    /// | `MILLRACE_HTTP_CA_FILE` | `http.caFile` | the system's | trusted certificates, PEM |
    init(_ settings: Settings) throws {
        let reader = settings.reader
        func milliseconds(_ value: Int) -> Duration { .milliseconds(value) }
        self.init(
            maxConnectionsPerHost: try reader.int("http.connectionsPerHost", default: 512, in: 1...4_096),
            maxConnections: try reader.int("http.connections", default: 1_024, in: 1...8_192),
            connectTimeout: milliseconds(try reader.int("http.connectTimeoutMs", default: 5_000, in: 100...20_000)),
            totalTimeout: milliseconds(try reader.int("http.timeoutMs", default: 20_000, in: 500...25_000)),
            maxIdleAge: .seconds(try reader.int("http.idleSeconds", default: 30, in: 1...600)),
            usesHTTP2: try reader.int("http.version", default: 2, in: 1...2) == 2,
            proxy: reader.string(forKey: "http.proxy", isSecret: true), caFile: reader.string(forKey: "http.caFile"))
    }
}
