import Commands
import Configuration
import Service

extension CommandsConfiguration {
    /// The program's settings, beside the common ones (see `Settings`), the channels (see `Channels`) and those of the
    /// idempotency keys in `main.swift`:
    ///
    /// | environment | default | what |
    /// |---|---|---|
    /// | `MILLRACE_COMMANDS_PRINCIPALS` | none, needed | file of callers and their tokens, see `PrincipalsFile` |
    /// | `MILLRACE_COMMANDS_HOST` | 127.0.0.1 | address to listen on |
    /// | `MILLRACE_COMMANDS_PORT` | 8090 | port |
    /// | `MILLRACE_COMMANDS_TLS_CERTIFICATE` | none: plain HTTP | PEM file of the certificate and its chain |
    /// | `MILLRACE_COMMANDS_TLS_KEY` | none | PEM file of its key, unencrypted |
    /// | `MILLRACE_COMMANDS_MAX_BODY_BYTES` | 262144 | larger bodies get 413 |
    /// | `MILLRACE_COMMANDS_MAX_IN_FLIGHT` | 256 | more requests waiting for the log: 503 |
    /// | `MILLRACE_COMMANDS_DEADLINE_MS` | 5000 | not durable by then: 503 |
    /// | `MILLRACE_COMMANDS_MAX_CONNECTIONS` | 1024 | more wait in the kernel's backlog |
    /// | `MILLRACE_COMMANDS_REQUEST_TIMEOUT_MS` | 30000 | a request not whole and answered by then: closed |
    /// | `MILLRACE_COMMANDS_IDLE_TIMEOUT_MS` | 75000 | a connection without a request for so long is closed |
    init(_ reader: ConfigReader) throws {
        self.init()
        host = reader.string(forKey: "commands.host", default: host)
        port = try reader.int("commands.port", default: port, in: 0...65_535)
        tls = try reader.tlsFiles("commands")
        maxBodyBytes = try reader.int("commands.maxBodyBytes", default: maxBodyBytes, in: 1_024...(768 << 10))
        maxInFlight = try reader.int("commands.maxInFlight", default: maxInFlight, in: 1...10_000)
        deadline = try reader.milliseconds("commands.deadlineMs", default: deadline, in: 50...60_000)
        maxConnections = try reader.int("commands.maxConnections", default: maxConnections, in: 1...100_000)
        requestTimeout = try reader.milliseconds(
            "commands.requestTimeoutMs", default: requestTimeout, in: 100...600_000)
        idleTimeout = try reader.milliseconds("commands.idleTimeoutMs", default: idleTimeout, in: 100...3_600_000)
    }
}
