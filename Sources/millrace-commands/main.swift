import Commands
import EventLog
import Service
import ServiceLifecycle
import WhatsApp

// The endpoint `POST /v1/commands` as a program. Its settings are in CommandsConfiguration+Settings.swift, and here:
//
// | environment | default | what |
// |---|---|---|
// | MILLRACE_COMMANDS_KEY_MEMORY_HOURS | 24 | how long an idempotency key is remembered (1 to 47) |
// | MILLRACE_COMMANDS_MAX_KEYS | 1000000 | keys remembered at most, about 100 bytes each |
//
// Callers and their tokens, channels and certificate are taken anew when their files change.
await MillraceService.main(named: "millrace-commands") { host in
    let environment = host.environment
    let reader = host.settings.reader
    let configuration = try CommandsConfiguration(reader)
    let certificate = try configuration.tls.map { try $0.watched() }
    let channels = try Loaded { files in
        try Channels.load(environment: environment, files: &files).all.filter { $0.apiKey != nil }.map(\.identity)
    }
    let principals = try Loaded { files in
        try PrincipalsFile.load(environment: environment, files: &files).map { entry in
            (principal: Principal(name: entry.name, channels: entry.channels), tokens: entry.tokens.map(\.value))
        }
    }
    let hours = try reader.int("commands.keyMemoryHours", default: 24, in: 1...Int(Topics.commandKeyRetentionDays * 24 - 1))
    let keys = KeyMemory(
        log: host.log, topic: host.settings.topics.commandKeys, memory: .seconds(hours * 3_600),
        maxKeys: try reader.int("commands.maxKeys", default: 1_000_000, in: 1_000...10_000_000), logger: host.logger,
        now: { .now })
    let desk = CommandDesk(
        producer: host.log.producer, topics: host.settings.topics, channels: channels.value, keys: keys, now: { .now })
    let register = PrincipalRegister(principals.value)
    let server = try CommandsServer(
        desk: desk, keys: keys, principals: register, configuration: configuration, logger: host.logger)
    host.health.add("commands") { server.readiness }
    var services: [any Service] = [
        server,
        channels.reloading("channels", logger: host.logger) { desk.replaceChannels($0) },
        principals.reloading("principals", logger: host.logger) { register.replace($0) },
    ]
    if let certificate {
        services.append(certificate.reloadingTLS(logger: host.logger) { try server.reloadTLS() })
    }
    if host.settings.admin != nil { services.insert(host.logProbe(), at: 0) }
    return services
}
