import Configuration
import Ingress
import Service

extension IngressConfiguration {
    /// The program's settings, beside the common ones (see `Settings`) and the channels (see `Channels`):
    ///
    /// | environment | default | what |
    /// |---|---|---|
    /// | `MILLRACE_INGRESS_HOST` | 0.0.0.0 | address to listen on |
    /// | `MILLRACE_INGRESS_PORT` | 8080 | port |
    /// | `MILLRACE_INGRESS_TLS_CERTIFICATE` | none: plain HTTP | PEM file of the certificate and its chain |
    /// | `MILLRACE_INGRESS_TLS_KEY` | none | PEM file of its key, unencrypted |
    /// | `MILLRACE_INGRESS_RAW` | false | whole bodies go to `whatsapp.raw.v1` too, unless a channel says otherwise |
    /// | `MILLRACE_INGRESS_CONTINUE_TRACES` | true | a request's `traceparent` is continued; false: always a new one |
    /// | `MILLRACE_INGRESS_DEADLINE_MS` | 3000 | not durable by then: 503 (the provider waits 5 s) |
    /// | `MILLRACE_INGRESS_MAX_BODY_BYTES` | 4194304 | larger bodies get 413, also when they are inflated to it |
    /// | `MILLRACE_INGRESS_MAX_HEADER_BYTES` | 16384 | more gets 431 |
    /// | `MILLRACE_INGRESS_MAX_NESTING` | 64 | deeper JSON gets 400 |
    /// | `MILLRACE_INGRESS_MAX_IN_FLIGHT_BYTES` | 67108864 | more than that arriving or waiting for the log: 503 |
    /// | `MILLRACE_INGRESS_MAX_CONNECTIONS` | 4096, over TLS 1024 | more get 503; far more wait in the kernel's backlog. Held to what `ulimit -Hn` leaves |
    /// | `MILLRACE_INGRESS_HEADER_TIMEOUT_MS` | 10000 | a head (and a TLS handshake) not whole by then: 408, closed |
    /// | `MILLRACE_INGRESS_BODY_TIMEOUT_MS` | 30000 | a body not whole by then: 408, closed |
    /// | `MILLRACE_INGRESS_IDLE_TIMEOUT_MS` | 75000 | a connection without a request for so long is closed; one without credentials as after the head's time-out |
    init(_ reader: ConfigReader, _ channels: IngressChannels) throws {
        self.init(channels: channels.named, account: channels.account)
        host = reader.string(forKey: "ingress.host", default: host)
        port = try reader.int("ingress.port", default: port, in: 0...65_535)
        tls = try reader.tlsFiles("ingress")
        continuesTraces = try reader.flag("ingress.continueTraces", default: continuesTraces)
        maxBodyBytes = try reader.int("ingress.maxBodyBytes", default: maxBodyBytes, in: 1_024...(7 << 20))
        maxHeaderBytes = try reader.int("ingress.maxHeaderBytes", default: maxHeaderBytes, in: 1_024...(1 << 20))
        maxNesting = try reader.int("ingress.maxNesting", default: maxNesting, in: 8...128)
        maxInFlightBytes = try reader.int(
            "ingress.maxInFlightBytes", default: maxInFlightBytes, in: (1 << 20)...(8 << 30))
        // Over TLS each takes several times the memory, most of it where the budget of bytes in flight does not count.
        maxConnections = try reader.int(
            "ingress.maxConnections", default: tls == nil ? maxConnections : maxConnections / 4, in: 1...1_000_000)
        ackDeadline = try reader.milliseconds("ingress.deadlineMs", default: ackDeadline, in: 50...4_500)
        headerTimeout = try reader.milliseconds("ingress.headerTimeoutMs", default: headerTimeout, in: 100...600_000)
        bodyTimeout = try reader.milliseconds("ingress.bodyTimeoutMs", default: bodyTimeout, in: 100...600_000)
        idleTimeout = try reader.milliseconds("ingress.idleTimeoutMs", default: idleTimeout, in: 100...3_600_000)
    }
}

extension IngressChannels {
    init(_ channels: Channels, _ reader: ConfigReader) throws(SettingError) {
        let keepsRaw = try reader.flag("ingress.raw", default: false)
        self.init(
            named: channels.all.filter { !$0.isAccount }.map { IngressChannel($0, keepsRaw: keepsRaw) },
            account: channels.all.first(where: \.isAccount).map { IngressChannel($0, keepsRaw: keepsRaw) })
    }
}

extension IngressChannel {
    fileprivate init(_ channel: Channel, keepsRaw: Bool) {
        let proofs = channel.webhookProofs.map { proof -> WebhookAuthentication in
            switch proof {
            case .basic(let user, let password): .basic(user: user, password: password.value)
            case .header(let name, let value): .header(name: name, value: value.value)
            case .signature(let secret): .signature(.dialog360, secret: secret.value)
            case .metaSignature(let secret): .signature(.meta, secret: secret.value)
            }
        }
        self.init(
            identity: channel.identity, authentication: proofs, verifyTokens: channel.verifyTokens.map(\.value),
            isBound: channel.isBound, keepsRaw: channel.keepsRaw ?? keepsRaw)
    }
}
