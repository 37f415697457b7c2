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
    let configuration = try IngressConfiguration(reader, try IngressChannels(channels.value, reader))
    // Looked at before the server reads them, so that no change falls between.
    let certificate = try configuration.tls.map { try $0.watched() }
    let spill = try await host.settings.openSpill(before: host.log.producer, logger: host.logger)
    let server = try IngressServer(
        configuration: configuration, producer: spill ?? host.log.producer, topics: host.settings.topics,
        logger: host.logger, now: { Timestamp.now })
    host.health.add("ingress") { server.readiness }
    // Stopped from the end: first nobody is let in, then the spill closes.
    var services: [any Service] = spill.map { [$0, server] } ?? [server]
    // With a spill the ingress is ready while Kafka is away.
    if spill == nil, host.settings.admin != nil { services.insert(host.logProbe(), at: 0) }
    services.append(
        channels.reloading("channels", logger: host.logger) { try server.replaceChannels(IngressChannels($0, reader)) })
    if let certificate {
        services.append(certificate.reloading("tls", logger: host.logger) { try server.reloadTLS() })
    }
    return services
}

extension IngressConfigurationError: ReadableError {}
