import Commands
import EventLog
import Service
import WhatsApp

// The endpoint `POST /v1/commands` as a program. Settings beside the common ones (see `Settings`):
//
// | environment | default | what |
// |---|---|---|
// | MILLRACE_COMMANDS_PRINCIPALS | none, needed | file of callers and their tokens, see `PrincipalsFile` |
// | MILLRACE_COMMANDS_HOST | 127.0.0.1 | address to listen on; plain HTTP, so put TLS in front of anything wider |
// | MILLRACE_COMMANDS_PORT | 8090 | port |
// | MILLRACE_COMMANDS_MAX_BODY_BYTES | 262144 | larger bodies get 413 |
// | MILLRACE_COMMANDS_MAX_IN_FLIGHT | 256 | more requests waiting for the log: 503 |
// | MILLRACE_COMMANDS_DEADLINE_MS | 5000 | not durable by then: 503 |
// | MILLRACE_COMMANDS_MAX_CONNECTIONS | 1024 | more wait in the kernel's backlog |
// | MILLRACE_COMMANDS_KEY_MEMORY_HOURS | 24 | how long an idempotency key is remembered (1 to 47) |
// | MILLRACE_COMMANDS_MAX_KEYS | 1000000 | keys remembered at most, about 100 bytes each |
await MillraceService.main(named: "millrace-commands") { host in
    let reader = host.settings.reader
    var configuration = CommandsConfiguration()
    configuration.host = reader.string(forKey: "commands.host", default: configuration.host)
    configuration.port = try reader.int("commands.port", default: configuration.port, in: 0...65_535)
    configuration.maxBodyBytes = try reader.int(
        "commands.maxBodyBytes", default: configuration.maxBodyBytes, in: 1_024...(768 << 10))
    configuration.maxInFlight = try reader.int(
        "commands.maxInFlight", default: configuration.maxInFlight, in: 1...10_000)
    configuration.deadline = .milliseconds(try reader.int("commands.deadlineMs", default: 5_000, in: 50...60_000))
    configuration.maxConnections = try reader.int(
        "commands.maxConnections", default: configuration.maxConnections, in: 1...100_000)
    let hours = try reader.int("commands.keyMemoryHours", default: 24, in: 1...Int(Topics.commandKeyRetentionDays * 24 - 1))
    let keys = KeyMemory(
        log: host.log, topic: host.settings.topics.commandKeys, memory: .seconds(hours * 3_600),
        maxKeys: try reader.int("commands.maxKeys", default: 1_000_000, in: 1_000...10_000_000), logger: host.logger,
        now: { .now })
    let desk = CommandDesk(
        producer: host.log.producer, topics: host.settings.topics,
        channels: try host.channels().all.filter { $0.apiKey != nil }.map(\.identity), keys: keys, now: { .now })
    let principals = try PrincipalsFile.load(environment: host.environment).map { entry in
        (principal: Principal(name: entry.name, channels: entry.channels), tokens: entry.tokens.map(\.value))
    }
    return [
        CommandsServer(
            desk: desk, keys: keys, principals: PrincipalRegister(principals), configuration: configuration,
            logger: host.logger)
    ]
}
