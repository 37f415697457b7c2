import Commands
import D360
import EventLog
import Foundation
import KafkaLog
import Logging
import SQLiteLog
import ServiceLifecycle
import Telemetry
import WhatsApp

let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// A log in a folder of its own with the topics of the pipeline, removed afterwards.
struct Bench {
    static let topics = Topics(partitions: 3)
    static let channels = [
        ChannelIdentity(name: "main", hosting: .cloud, wabaID: "900", phoneNumberID: "700"),
        ChannelIdentity(name: "old", hosting: .onPremise),
    ]

    let log: any Log
    let folder: String

    enum Backend: Sendable, CaseIterable { case sqlite, kafka }

    static func run(on backend: Backend = .sqlite, _ body: (Bench) async throws -> Void) async throws {
        switch backend {
        case .sqlite: try await runOnSQLite(body)
        case .kafka: try await runOnKafka(body)
        }
    }

    /// On librdkafka's mock cluster.
    private static func runOnKafka(_ body: (Bench) async throws -> Void) async throws {
        let cluster = try MockKafka(brokers: 1)
        for spec in topics.specs(groups: []) { try cluster.createTopic(spec.topic, partitions: spec.partitions) }
        var configuration = KafkaLogConfiguration()
        configuration.properties = ["fetch.wait.max.ms": "10"]
        let log = try await KafkaLog.open(bootstrap: cluster.bootstrap, configuration: configuration)
        do {
            try await body(Bench(log: log, folder: ""))
        } catch {
            await log.close()
            throw error
        }
        await log.close()
        withExtendedLifetime(cluster) {}
    }

    private static func runOnSQLite(_ body: (Bench) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "millrace-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let log = try await SQLiteLog.open(path: "\(folder)/events.db")
        do {
            try await log.admin.createTopics(topics.specs(groups: []))
            try await body(Bench(log: log, folder: folder))
        } catch {
            await log.close()
            throw error
        }
        await log.close()
    }

    func keys(
        on log: (any Log)? = nil, memory: Duration = .seconds(86_400), maxKeys: Int = 1_000,
        now: @escaping @Sendable () -> Timestamp = { .now }
    ) -> KeyMemory {
        KeyMemory(
            log: log ?? self.log, topic: Self.topics.commandKeys, memory: memory, maxKeys: maxKeys, logger: silent,
            now: now)
    }

    func desk(
        _ keys: KeyMemory, on log: (any Log)? = nil, now: @escaping @Sendable () -> Timestamp = { .now }
    ) -> CommandDesk {
        CommandDesk(
            producer: (log ?? self.log).producer, topics: Self.topics, channels: Self.channels, keys: keys, now: now)
    }

    /// A desk of an instance of its own, ready to take requests.
    func instance(now: @escaping @Sendable () -> Timestamp = { .now }) async throws -> CommandDesk {
        let keys = keys(now: now)
        try await keys.start()
        return desk(keys, now: now)
    }

    /// All records of a topic.
    func records(_ topic: Topic) async throws -> [StoredRecord] {
        let partitions = try await log.admin.partitions(of: topic)
        let held = try await log.admin.watermarks(of: partitions)
        let reader = try await log.reader()
        var records: [StoredRecord] = []
        for partition in partitions where (held[partition]?.high ?? 0) > 0 {
            var next: Offset = 0
            while next < held[partition]?.high ?? 0 {
                let some = try await reader.read(partition, from: next, maxRecords: 10_000, waitingUpTo: .seconds(1))
                records += some
                next = some.last.map { $0.offset + 1 } ?? next
            }
        }
        await reader.close()
        return records
    }

    func commands(_ topic: Topic = Bench.topics.outbound) async throws -> [OutboundCommand] {
        try await records(topic).map { try OutboundCommand($0) }
    }
}

func request(
    key: String? = nil, to: String = "15550001111", body: String = "Hi", more: String = ""
) throws -> CommandRequest {
    try CommandRequest(Array(requestBody(key: key, to: to, body: body, more: more).utf8))
}

func requestBody(key: String? = nil, to: String = "15550001111", body: String = "Hi", more: String = "") -> String {
    let key = key.map { #","idempotency_key":"\#($0)""# } ?? ""
    return #"{"channel":"main","to":"\#(to)","purpose":"utility","message":{"type":"text","text":{"body":"\#(body)"}}\#(key)\#(more)}"#
}

let operatorPrincipal = Principal(name: "operator")

/// The endpoint on a free port.
struct Endpoint {
    static let token = "secret-token-of-shop"
    static let secondToken = "another-token-of-shop"
    let url: String
    let port: Int
    let server: CommandsServer
    let register: PrincipalRegister
    let desk: CommandDesk
    let metrics: PrometheusRegistry
    private let transport = HTTPTransport()

    static func run(
        _ bench: Bench, on log: (any Log)? = nil, configure: (inout CommandsConfiguration) -> Void = { _ in },
        _ body: (Endpoint) async throws -> Void
    ) async throws {
        var configuration = CommandsConfiguration()
        configuration.port = 0
        configure(&configuration)
        let keys = bench.keys(on: log)
        let register = PrincipalRegister([
            (Principal(name: "shop"), [token, secondToken]),
            (Principal(name: "crm", channels: ["old"]), ["secret-token-of-crm"]),
        ])
        let (ports, port) = AsyncStream<Int>.makeStream()
        let desk = bench.desk(keys, on: log)
        let metrics = PrometheusRegistry()
        let server = try CommandsServer(
            desk: desk, keys: keys, principals: register, configuration: configuration, metrics: metrics,
            logger: silent, listening: { port.yield($0) })
        let group = ServiceGroup(services: [server], logger: silent)
        let running = Task { try await group.run() }
        guard let number = await ports.first(where: { _ in true }) else { return }
        let endpoint = Endpoint(
            url: "\(configuration.tls == nil ? "http" : "https")://127.0.0.1:\(number)", port: number, server: server,
            register: register, desk: desk, metrics: metrics)
        do {
            try await body(endpoint)
        } catch {
            await group.triggerGracefulShutdown()
            throw error
        }
        await group.triggerGracefulShutdown()
        try await running.value
        await endpoint.transport.shutdown()
    }

    func post(
        _ body: String, token: String? = Endpoint.token, headers: [HTTPField] = [], path: String = "/v1/commands",
        over other: HTTPTransport? = nil
    ) async throws -> (status: Int, json: JSON, response: HTTPResponse) {
        let authorization = token.map { [HTTPField("Authorization", "Bearer \($0)")] } ?? []
        let response = try await (other ?? transport).perform(
            HTTPRequest(method: "POST", url: url + path, headers: authorization + headers, body: Array(body.utf8)))
        return (response.status, try JSON(parsing: response.body), response)
    }
}
