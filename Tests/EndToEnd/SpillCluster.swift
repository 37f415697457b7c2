import EventLog
import Foundation
import KafkaLog
import Logging
import Subprocess
import SystemPackage
import Testing
import WhatsApp

/// The Kafka behind a spill: librdkafka's mock of one broker, or a real cluster that may be killed.
///
/// | environment | what |
/// |---|---|
/// | `MILLRACE_TEST_KAFKA` | `host:port,…` of the cluster; it gets topics of its own for each run |
/// | `MILLRACE_TEST_KAFKA_STOP` | shell command that kills all brokers, e.g. with SIGKILL |
/// | `MILLRACE_TEST_KAFKA_START` | shell command that starts them again; may return before they answer |
/// | `MILLRACE_TEST_KAFKA_STOP_ONE` | shell command that kills one of them; optional |
///
/// The first three are needed together.
struct SpillCluster {
    private static let environment = ProcessInfo.processInfo.environment
    private static let given: (bootstrap: String, stop: String, start: String)? = {
        guard let bootstrap = environment["MILLRACE_TEST_KAFKA"], let stop = environment["MILLRACE_TEST_KAFKA_STOP"],
            let start = environment["MILLRACE_TEST_KAFKA_START"]
        else { return nil }
        return (bootstrap, stop, start)
    }()

    let bootstrap: String
    let topics: Topics
    private let mock: MockKafka?

    static var isReal: Bool { given != nil }

    /// With the ingress's topics.
    init() async throws {
        guard let given = Self.given else {
            let mock = try MockKafka(brokers: 1)
            topics = Topics(partitions: 12)
            for topic in topics.inbound { try mock.createTopic(topic, partitions: topics.partitions) }
            (self.mock, bootstrap) = (mock, mock.bootstrap)
            return
        }
        (mock, bootstrap) = (nil, given.bootstrap)
        topics = Topics(prefix: "spill-\(UUID().uuidString.prefix(8))", partitions: 12)
        let log = try await open()
        try await log.admin.createTopics(topics.specs(groups: []).filter { topics.inbound.contains($0.topic) })
        await log.close()
    }

    func open() async throws -> KafkaLog {
        var configuration = KafkaLogConfiguration()
        configuration.properties["fetch.wait.max.ms"] = "10"
        configuration.logger.logLevel = .critical
        return try await KafkaLog.open(bootstrap: bootstrap, configuration: configuration)
    }

    /// Kills all brokers.
    func stop() async throws {
        if let mock { try mock.setDown(1) } else { try await Self.shell(Self.given!.stop) }
    }

    /// Kills one broker, where there are several and the command is given.
    func stopOne() async throws {
        if mock == nil, let command = Self.environment["MILLRACE_TEST_KAFKA_STOP_ONE"] { try await Self.shell(command) }
    }

    func start() async throws {
        if let mock { try mock.setUp(1) } else { try await Self.shell(Self.given!.start) }
    }

    /// The same, but so slow that draining takes a while. A real cluster is slow enough after its start.
    func startSlowly() async throws {
        try mock?.setRoundTrip(.milliseconds(100), of: 1)
        try await start()
    }
    func speedUp() throws { try mock?.setRoundTrip(.zero, of: 1) }

    private static func shell(_ command: String) async throws {
        let result = try await Subprocess.run(
            .path("/bin/sh"), arguments: ["-c", command], output: .discarded, error: .string(limit: 1 << 16))
        if !result.terminationStatus.isSuccess { print("\(command): \(result.terminationStatus) \(result.standardError)") }
    }
}
