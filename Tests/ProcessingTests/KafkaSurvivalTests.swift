import EventLog
import EventLogTesting
import KafkaLog
import Logging
import Testing

@testable import Processing

/// State that survives, on Kafka's protocol (librdkafka's mock cluster): the commit before the claim, entries and seal in
/// two steps, offsets as brokers give them. Each owner is a client of its own with a folder of its own.
@Suite struct KafkaSurvivalTests {
    private static let source = TopicPartition("in", 0)

    private func open(_ mock: MockKafka) async throws -> KafkaLog {
        var configuration = KafkaLogConfiguration()
        configuration.properties["fetch.wait.max.ms"] = "10"
        configuration.replicationFactor = 1
        configuration.logger.logLevel = .critical
        return try await KafkaLog.open(bootstrap: mock.bootstrap, configuration: configuration)
    }

    private func start(_ machine: Int, _ folder: String, on log: KafkaLog) -> Running {
        var processor = TestProcessor { record, context in
            let count = (try await context.state.value(record.keyText)?.first ?? 0) + 1
            try await context.state.set(record.keyText, to: [count], expires: nil)
            return [Record(topic: "out", key: record.key, value: Array("\(record.valueText)=\(count)".utf8))]
        }
        processor.state = .surviving(.all)
        var configuration = ProcessorRuntimeConfiguration(
            start: .earliest, stateDirectory: "\(folder)/machine\(machine)", sessionTimeout: .seconds(4))
        configuration.lastCommitTimeout = .seconds(20)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        return Running(
            ProcessorRuntime(
                processor: processor, log: log, configuration: configuration, clock: ContinuousClock(),
                wallTime: { World.start }, logger: logger), logger)
    }

    @Test func theNextMachineHasTheSameState() async throws {
        try await withFolder { folder in
            let mock = try MockKafka(brokers: 1)
            for topic in ["in", "out", World.letters, World.state] as [Topic] { try mock.createTopic(topic, partitions: 1) }
            for turn in 0..<3 {
                let log = try await open(mock)
                try await log.produce((0..<5).map { Record(topic: "in", key: [107], value: Array("\(turn * 5 + $0)".utf8)) })
                let owner = start(turn, folder, on: log)
                try await eventually("all are handled") {
                    let commits = try await log.admin.commits(of: World.group, in: [Self.source])
                    return commits[Self.source]?.offset == Offset(turn * 5 + 5)
                }
                if turn == 1 { await owner.kill() } else { try await owner.stop() }
                await log.close()
            }
            let log = try await open(mock)
            let reader = try await log.reader()
            let outputs = try await reader.read(TopicPartition("out", 0), from: 0, maxRecords: 100, waitingUpTo: .seconds(5))
            #expect(outputs.map(\.valueText) == (0..<15).map { "\($0)=\($0 + 1)" })
            await reader.close()
            await log.close()
        }
    }
}
