import EventLog
import Ingress
import Service
import ServiceLifecycle

// The ingress as a program. Its settings are in IngressConfiguration+Settings.swift; channels and certificate are taken
// anew when their files change.
await MillraceService.main(named: "millrace-ingress") { host in
    let environment = host.environment
    let reader = host.settings.reader
    let channels = try Loaded { files in try Channels.load(environment: environment, files: &files) }
    let configuration = try IngressConfiguration(reader, try IngressChannels(channels.value, reader))
    // Looked at before the server reads them, so that no change falls between.
    let certificate = try configuration.tls.map { tls in
        try Loaded { files in
            files.read(tls.certificatePath)
            files.read(tls.keyPath)
        }
    }
    let server = try IngressServer(
        configuration: configuration, producer: host.log.producer, topics: host.settings.topics, logger: host.logger,
        now: { Timestamp.now })
    host.health.add("ingress") { server.readiness }
    var services: [any Service] = host.settings.admin == nil ? [server] : [host.logProbe(), server]
    services.append(
        channels.reloading("channels", logger: host.logger) { try server.replaceChannels(IngressChannels($0, reader)) })
    if let certificate {
        services.append(certificate.reloading("tls", logger: host.logger) { try server.reloadTLS() })
    }
    return services
}

extension IngressConfigurationError: ReadableError {}
