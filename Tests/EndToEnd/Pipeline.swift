import D360
import EventLog
import Foundation
import Logging
import Service
import ServiceLifecycle
import Simulator
import Testing
import WhatsApp

/// One pipeline for one test: a folder, a log, the stages as processes and the simulator in this one.
struct Pipeline {
    let log: any Log
    let topics: Topics
    let fleet: Fleet
    let simulator: Simulator
    /// Where everything lies; the stages' logs in `logs/<stage>.log`.
    let directory: String
    /// How many messages the customers write in all.
    let limit: Int

    struct Load {
        var customers = 200
        var messagesPerSecond = 40.0
        var messages = 400
    }

    /// Sets everything up, runs `body`, stops everything, and removes the folder when nothing was thrown.
    ///
    /// - Parameters:
    ///   - settings: environment of the stages beside the usual one.
    ///   - simulate: what is special about the simulated platform.
    static func run(
        on location: LogLocation? = nil, topics: Topics = Topics(), load: Load, stages: [String] = Fleet.stages,
        settings: [String: String] = [:], simulate: (inout SimulatorConfiguration) -> Void = { _ in },
        _ body: (Pipeline) async throws -> Void
    ) async throws {
        let directory = NSTemporaryDirectory() + "millrace-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let location = location ?? .sqlite(path: "\(directory)/events.db")
        let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let log = try await location.open(
            kafkaProperties: Self.kafkaProperties, replicas: Self.replicas(location), logger: silent)
        try await Provisioning.provision(log, topics: topics)
        let ports = try Ports()
        let channels = try Self.writeChannels(in: directory, simulatorPort: ports.simulator)
        let fleet = try Fleet(
            environment: Self.environment(location, directory, topics, ports, channels).merging(settings) { $1 },
            logs: "\(directory)/logs")
        let transport = HTTPTransport()
        var simulation = Self.simulation(ports, load)
        simulate(&simulation)
        let simulator = Simulator(simulation, transport: transport, logger: silent)
        let group = ServiceGroup(services: [simulator], logger: silent)
        let running = Task { try await group.run() }
        fleet.start(stages)
        do {
            try await body(
                Pipeline(
                    log: log, topics: topics, fleet: fleet, simulator: simulator, directory: directory,
                    limit: load.messages))
        } catch {
            await fleet.stop()
            throw error
        }
        await fleet.stop()
        await group.triggerGracefulShutdown()
        try await running.value
        await transport.shutdown()
        await log.close()
        try FileManager.default.removeItem(atPath: directory)
    }

    /// The mock cluster's pace; harmless on a real one.
    private static let kafkaProperties = ["fetch.wait.max.ms": "10"]

    /// As many as there are brokers, up to Kafka's usual three.
    private static func replicas(_ location: LogLocation) -> Int {
        guard case .kafka(let bootstrap) = location else { return 1 }
        return min(3, bootstrap.split(separator: ",").count)
    }

    private static func environment(
        _ location: LogLocation, _ directory: String, _ topics: Topics, _ ports: Ports, _ channels: String
    ) -> [String: String] {
        [
            "MILLRACE_LOG": "\(location)", "MILLRACE_STATE": "\(directory)/state", "MILLRACE_CHANNELS": channels,
            "MILLRACE_TOPICS_PREFIX": topics.prefix, "MILLRACE_TOPICS_PARTITIONS": "\(topics.partitions)",
            "MILLRACE_INGRESS_HOST": "127.0.0.1", "MILLRACE_INGRESS_PORT": "\(ports.ingress)",
            "MILLRACE_KAFKA_FETCH_WAIT_MAX_MS": "10",
            // Short, so that a killed member is missed soon; the least that a real broker takes.
            "MILLRACE_KAFKA_SESSION_TIMEOUT_MS": "6000",
        ]
    }

    private static func simulation(_ ports: Ports, _ load: Load) -> SimulatorConfiguration {
        let number = SimulatedNumber(
            apiKey: "test-key", hosting: .cloud, phoneNumberID: "700100200300501", wabaID: "900100200300401",
            displayPhoneNumber: "15550009001",
            webhook: SimulatedWebhook(
                url: "http://127.0.0.1:\(ports.ingress)/webhooks/demo",
                headers: ["Authorization": "Basic " + Data("demo:secret".utf8).base64EncodedString()]))
        var configuration = SimulatorConfiguration(numbers: [number], seed: 1)
        configuration.port = ports.simulator
        configuration.customers.count = load.customers
        configuration.customers.messagesPerSecond = load.messagesPerSecond
        configuration.customers.messageLimit = load.messages
        configuration.webhooks.redeliveryBase = .milliseconds(200)
        configuration.webhooks.redeliveryCap = .seconds(2)
        return configuration
    }

    private static func writeChannels(in directory: String, simulatorPort: Int) throws -> String {
        let path = "\(directory)/channels.yaml"
        let yaml = """
            channels:
              demo:
                phone_number_id: "700100200300501"
                waba_id: "900100200300401"
                display_phone_number: "15550009001"
                webhook: { basic: { user: demo, password: secret } }
                api_key: test-key
                base_url: http://127.0.0.1:\(simulatorPort)
            """
        try Data(yaml.utf8).write(to: URL(fileURLWithPath: path))
        return path
    }
}

/// Two ports that were free a moment ago.
struct Ports {
    let ingress: Int
    let simulator: Int

    init() throws {
        (ingress, simulator) = try (Self.free(), Self.free())
    }

    private static func free() throws -> Int {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(descriptor, $0, length) + getsockname(descriptor, $0, &length)
            }
        }
        guard result == 0 else { throw POSIXError(.EADDRNOTAVAIL) }
        return Int(UInt16(bigEndian: address.sin_port))
    }
}

/// Waits until `condition` holds; a generous bound, for slow machines.
func eventually(
    _ what: Comment, within limit: Duration = .seconds(120), _ condition: () async throws -> Bool
) async throws {
    let deadline = ContinuousClock.now + limit
    while ContinuousClock.now < deadline {
        if try await condition() { return }
        try await Task.sleep(for: .milliseconds(100))
    }
    Issue.record(what)
}
