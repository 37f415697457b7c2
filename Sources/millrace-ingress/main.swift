import EventLog
import Ingress
import Service

// The ingress as a program. Settings beside the common ones (see `Settings`):
//
// | environment | default | what |
// |---|---|---|
// | MILLRACE_INGRESS_HOST | 0.0.0.0 | address to listen on |
// | MILLRACE_INGRESS_PORT | 8080 | port |
// | MILLRACE_INGRESS_DEADLINE_MS | 3000 | not durable by then: 503 (the provider waits 5 s) |
// | MILLRACE_INGRESS_MAX_BODY_BYTES | 4194304 | larger bodies get 413 |
// | MILLRACE_INGRESS_MAX_IN_FLIGHT_BYTES | 67108864 | more than that waiting for the log: 503 |
// | MILLRACE_INGRESS_MAX_CONNECTIONS | 4096 | more wait in the kernel's backlog |
await MillraceService.main(named: "millrace-ingress") { host in
    let channels = try host.channels().all
    let reader = host.settings.reader
    var configuration = IngressConfiguration(
        channels: channels.filter { !$0.isAccount }.map(IngressChannel.init),
        account: channels.first(where: \.isAccount).map(IngressChannel.init))
    configuration.host = reader.string(forKey: "ingress.host", default: configuration.host)
    configuration.port = try reader.int("ingress.port", default: configuration.port, in: 0...65_535)
    configuration.ackDeadline = .milliseconds(try reader.int("ingress.deadlineMs", default: 3_000, in: 50...4_500))
    configuration.maxBodyBytes = try reader.int("ingress.maxBodyBytes", default: configuration.maxBodyBytes, in: 1_024...(7 << 20))
    configuration.maxInFlightBytes = try reader.int(
        "ingress.maxInFlightBytes", default: configuration.maxInFlightBytes, in: (1 << 20)...(8 << 30))
    configuration.maxConnections = try reader.int(
        "ingress.maxConnections", default: configuration.maxConnections, in: 1...1_000_000)
    let server = try IngressServer(
        configuration: configuration, producer: host.log.producer, topics: host.settings.topics, logger: host.logger,
        now: { Timestamp.now })
    host.health.add("ingress") { server.readiness }
    return host.settings.admin == nil ? [server] : [host.logProbe(), server]
}

extension IngressConfigurationError: ReadableError {}

extension IngressChannel {
    init(_ channel: Channel) {
        let authentication: WebhookAuthentication =
            switch channel.webhookProof {
            case .basic(let user, let password): .basic(user: user, password: password.value)
            case .header(let name, let value): .header(name: name, value: value.value)
            }
        self.init(identity: channel.identity, authentication: authentication, isBound: channel.isBound)
    }
}
