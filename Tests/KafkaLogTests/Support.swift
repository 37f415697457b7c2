import EventLog
import KafkaLog
import Logging
import Testing

/// A mock cluster and a log on it, with the short times that tests need.
struct MockLog {
    let mock: MockKafka
    let log: KafkaLog

    init(
        brokers: Int32 = 1, _ topics: [Topic: Int32] = [:], configure: (inout KafkaLogConfiguration) -> Void = { _ in }
    ) async throws {
        mock = try MockKafka(brokers: brokers)
        for (topic, partitions) in topics { try mock.createTopic(topic, partitions: partitions) }
        log = try await Self.open(mock, configure: configure)
    }

    /// A second log on the same cluster, as another process would have.
    static func open(
        _ mock: MockKafka, configure: (inout KafkaLogConfiguration) -> Void = { _ in }
    ) async throws -> KafkaLog {
        var configuration = KafkaLogConfiguration()
        configuration.properties["fetch.wait.max.ms"] = "10"
        configuration.replicationFactor = 1
        configuration.logger.logLevel = .critical
        configure(&configuration)
        return try await KafkaLog.open(bootstrap: mock.bootstrap, configuration: configuration)
    }
}

extension Log {
    func member(
        _ group: String, _ topics: [Topic], maxBufferedBytes: Int = 32 << 20, maxBatchRecords: Int = 500
    ) async throws -> any Consumer {
        try await consumer(
            ConsumerConfiguration(
                group: group, topics: topics, sessionTimeout: .seconds(4), maxBufferedBytes: maxBufferedBytes,
                maxBatchRecords: maxBatchRecords))
    }
}

extension Consumer {
    /// The next event; fails the test instead of hanging it.
    func nextEvent(within time: Duration = .seconds(40)) async throws -> ConsumerEvent {
        let event = try await withThrowingTaskGroup(of: ConsumerEvent?.self) { group in
            group.addTask { try await self.next() }
            group.addTask {
                try await Task.sleep(for: time)
                return nil
            }
            defer { group.cancelAll() }
            return try await group.next() ?? nil
        }
        return try #require(event, "no event in time")
    }

    /// Waits for an assignment and begins where the group stands, or at 0.
    @discardableResult
    func begin() async throws -> [TopicPartition: Commit?] {
        while true {
            guard case .assigned(let commits) = try await nextEvent() else { continue }
            try await start(at: commits.mapValues { $0?.offset ?? 0 })
            return commits
        }
    }

    /// Reads until `count` records are there.
    func take(_ count: Int) async throws -> [StoredRecord] {
        var records: [StoredRecord] = []
        while records.count < count {
            guard case .records(_, let more) = try await nextEvent() else { continue }
            records += more
        }
        return records
    }
}

/// Polls for a condition, with a deadline that only a broken build reaches.
func eventually(_ what: Comment, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(40)
    while try await !condition() {
        try #require(ContinuousClock.now < deadline, what)
        try await Task.sleep(for: .milliseconds(20))
    }
}

func record(_ topic: Topic, in partition: Int32? = 0, key: String? = nil, _ value: String) -> Record {
    Record(topic: topic, partition: partition, key: key.map { Array($0.utf8) }, value: Array(value.utf8))
}

func text(_ records: [StoredRecord]) -> [String] {
    records.map { String(decoding: $0.value ?? [], as: UTF8.self) }
}

/// The code of the error that `body` throws; a test failure when it throws none.
func code(_ body: () async throws -> Void) async -> LogError.Code? {
    do {
        try await body()
        Issue.record("nothing was thrown")
        return nil
    } catch {
        return (error as? LogError)?.code
    }
}
