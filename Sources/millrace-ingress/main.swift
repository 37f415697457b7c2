import EventLog
import Ingress
import Service
import ServiceLifecycle
import Spill

// The ingress as a program. Its settings are in IngressConfiguration+Settings.swift; channels and certificate are taken
// anew when their files change.
await MillraceService.main(named: "millrace-ingress") { host in
    let environment = host.environment
    let reader = host.settings.reader
    let channels = try Loaded { files in try Channels.load(environment: environment, files: &files) }
    var configuration = try IngressConfiguration(reader, try IngressChannels(channels.value, reader))
    configuration.shutdownTimeout = host.settings.stopBudget.requests
    // Looked at before the server reads them, so that no change falls between.
    let certificate = try configuration.tls.map { try $0.watched() }
    if !configuration.holdConnections(toOpenFiles: OpenFiles.limit, used: OpenFiles.count) {
        host.logger.warning(
            "MILLRACE_INGRESS_MAX_CONNECTIONS is held to what the process may open; raise that limit (ulimit -Hn)",
            metadata: [
                "process.max_fds": "\(OpenFiles.limit)", "ingress.max_connections": "\(configuration.maxConnections)",
            ])
    }
    let topics = host.settings.topics
    let keepsRaw = configuration.keepsRaw
    let needed = topics.inbound.filter { $0 != topics.raw || keepsRaw }
    let topicWatch = try await host.checkTopics(needed, refusing: host.settings.spillDirectory == nil)
    let demand = host.topicDemand(beyond: needed)
    let spill = try await host.settings.openSpill(before: host.log.producer, logger: host.logger)
    let server = try IngressServer(
        configuration: configuration, producer: spill ?? host.log.producer, topics: topics,
        logger: host.logger, now: { Timestamp.now })
    host.health.add("ingress") { server.readiness }
    host.health.whenDraining { server.announceStop() }
    // Stopped from the end: first nobody is let in, then the spill closes.
    let listening = Listening(server)
    var services: [any Service] = spill.map { [$0, listening] } ?? [listening]
    // Before the others: what they last ask a log that is gone is over when that is closed.
    if let topicWatch { services.append(topicWatch) }
    // With a spill the ingress is ready while Kafka is away, as long as the spill has room.
    if let spill { host.health.add("spill") { spill.canAccept ? .ready : .notReady("full") } }
    if spill == nil, host.settings.admin != nil { services.append(host.logProbe()) }
    services.append(
        channels.reloading("channels", logger: host.logger) {
            let changed = try IngressChannels($0, reader)
            if changed.keepsRaw { try demand.check([topics.raw]) }
            try server.replaceChannels(changed)
        })
    if let certificate {
        services.append(certificate.reloadingTLS(logger: host.logger) { try server.reloadTLS() })
    }
    return services
}

extension IngressConfigurationError: ReadableError {}

/// The server, whose address is a setting.
private struct Listening: Service {
    private let server: IngressServer
    init(_ server: IngressServer) { self.server = server }

    func run() async throws {
        do {
            try await server.run()
        } catch let error as IngressConfigurationError {
            throw StartError("MILLRACE_INGRESS_HOST, MILLRACE_INGRESS_PORT", error.description)
        }
    }
}
