import EventLog
import Ingress
import Service
import ServiceLifecycle

// The ingress as a program. Its settings are in IngressConfiguration+Settings.swift; channels and certificate are taken
// anew when their files change.
await MillraceService.main(named: "millrace-ingress") { host in
    let environment = host.environment
    let channels = try Loaded { files in try Channels.load(environment: environment, files: &files) }
    let configuration = try IngressConfiguration(host.settings.reader, channels.value)
    let keepsRaw = try host.settings.reader.flag("ingress.raw", default: false)
    let server = try IngressServer(
        configuration: configuration, producer: host.log.producer, topics: host.settings.topics, logger: host.logger,
        now: { Timestamp.now })
    var services: [any Service] = [
        server,
        channels.reloading("channels", logger: host.logger) {
            try server.replaceChannels(IngressChannels($0, keepsRaw: keepsRaw))
        },
    ]
    if let tls = configuration.tls {
        let pair = try Loaded { files in
            files.read(tls.certificatePath)
            files.read(tls.keyPath)
        }
        services.append(pair.reloading("tls", logger: host.logger) { try server.reloadTLS() })
    }
    return services
}

extension IngressConfigurationError: ReadableError {}
