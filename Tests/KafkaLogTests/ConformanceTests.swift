import EventLog
import EventLogTesting
import Foundation
import KafkaLog
import Testing

/// The suite that holds both logs to the same behaviour, here on Kafka: on librdkafka's mock brokers over TCP, each case
/// on brokers of its own, or on the real brokers that `MILLRACE_TEST_KAFKA=host:port,…` names.
@Suite struct ConformanceTests {
    @Test(.timeLimit(.minutes(5)), arguments: KafkaSubject.toBeTested.cases)
    func conforms(_ promise: ConformanceCase) async throws {
        try await Self.turnstile.pass { try await promise.run(on: try KafkaSubject.make()) }
    }

    /// Shows in the tests' output what is not tested, and why.
    @Test(arguments: KafkaSubject.toBeTested.skips.map(Skip.init))
    func skips(_ skip: Skip) {
        #expect(KafkaSubject.realBrokers == nil || KafkaSubject.sweeps.contains(skip.promise))
    }

    struct Skip: Sendable, CustomTestStringConvertible {
        let promise: ConformanceCase
        let reason: String
        var testDescription: String { "\(promise.rawValue), skipped: \(reason)" }
    }

    /// A mock cluster has three brokers, and each client a thread for each of them.
    private static let turnstile = Turnstile(limit: 8)
}

struct KafkaSubject: ConformanceSubject {
    static let realBrokers = ProcessInfo.processInfo.environment["MILLRACE_TEST_KAFKA"]
    /// For its list of cases: no client is opened on it.
    static let toBeTested = KafkaSubject(bootstrap: realBrokers ?? "", kind: realBrokers == nil ? .mock : .real)

    enum Kind: String, Sendable, Codable { case mock, real }

    private let bootstrap: String
    private let kind: Kind
    private var mock: MockKafka?

    init(bootstrap: String, kind: Kind) {
        self.bootstrap = bootstrap
        self.kind = kind
    }

    /// The brokers of one case.
    static func make() throws -> KafkaSubject {
        if let realBrokers { return KafkaSubject(bootstrap: realBrokers, kind: .real) }
        let mock = try MockKafka()
        var subject = KafkaSubject(bootstrap: mock.bootstrap, kind: .mock)
        subject.mock = mock
        return subject
    }

    var name: String { kind == .real ? "Kafka" : "mock of Kafka" }

    /// A real broker takes no less than 6 s (`group.min.session.timeout.ms`).
    var sessionTimeout: Duration { kind == .real ? .seconds(6) : .seconds(4) }

    func open(queueBytes: Int?) async throws -> any Log {
        var configuration = KafkaLogConfiguration()
        // The mock has no early wake-up: a fetch at the end waits in full.
        if kind == .mock { configuration.properties["fetch.wait.max.ms"] = "10" }
        configuration.replicationFactor = min(3, bootstrap.split(separator: ",").count)
        configuration.revocationGrace = .seconds(3)
        // librdkafka tells of each property that one of its clients has no use for.
        configuration.logger.logLevel = .warning
        if let queueBytes { configuration.maxQueuedBytes = queueBytes }
        return try await KafkaLog.open(bootstrap: bootstrap, configuration: configuration)
    }

    func createTopic(_ spec: TopicSpec) async throws {
        if let mock { return try mock.createTopic(spec.topic, partitions: spec.partitions) }
        let log = try await open(queueBytes: nil)
        try await log.admin.createTopics([spec])
        await log.close()
    }

    /// Brokers sweep by themselves, and cannot be asked to.
    func sweep() async throws {}

    func runProcess(_ part: ProcessPart) async throws {
        switch part.ending {
        case .killed:
            await #expect(processExitsWith: .signal(SIGKILL)) {
                [servers = bootstrap as String, kind = kind as Kind, part = part as ProcessPart] in
                let subject = KafkaSubject(bootstrap: servers, kind: kind)
                try await part.play(on: try await subject.open(queueBytes: nil))
                OtherProcess.killSelf()
            }
        case .comesBackStale:
            await #expect(processExitsWith: .success) {
                [servers = bootstrap as String, kind = kind as Kind, part = part as ProcessPart] in
                do {
                    let subject = KafkaSubject(bootstrap: servers, kind: kind)
                    try await part.play(on: try await subject.open(queueBytes: nil))
                } catch {
                    // Told to the process that judges; a thrown error is but a crash to it.
                    Issue.record(error)
                    throw error
                }
            }
        }
    }
}

extension KafkaSubject {
    static let sweeps: Set<ConformanceCase> = [
        .aTopicKeepsItsSize, .aTopicKeepsItsAge, .compactionKeepsTheNewestOfEachKey, .tombstonesGoWhenTheirAgeIsReached,
        .aConsumerThatIsNotReadHoldsNoMoreThanItsBound,
    ]

    var skips: [ConformanceCase: String] { kind == .real ? Self.skippedOnRealBrokers : Self.skippedOnMock }

    /// With a broker's defaults a segment is a week old, or 1 GiB large, before anything of it is swept. Set
    /// `MILLRACE_TEST_KAFKA_SWEEPS=1` where the brokers sweep within seconds: `log.roll.ms=1000`,
    /// `log.retention.check.interval.ms=500`, `log.segment.delete.delay.ms=0`, `log.cleaner.backoff.ms=500`,
    /// `log.cleaner.min.cleanable.ratio=0`.
    private static var skippedOnRealBrokers: [ConformanceCase: String] {
        if ProcessInfo.processInfo.environment["MILLRACE_TEST_KAFKA_SWEEPS"] != nil { return [:] }
        return Dictionary(
            uniqueKeysWithValues: sweeps.map { ($0, "these brokers are not said to sweep within seconds") })
    }

    /// What librdkafka 2.0.2's mock cannot show (rdkafka_mock.c, rdkafka_mock_handlers.c, rdkafka_mock_cgrp.c).
    private static let skippedOnMock: [ConformanceCase: String] = [
        .eightMebibytesFit: "keeps 5 MB a partition",
        .aRecordBeyondTheTopicsLimitIsRefused: "topics have no size limit",
        .offsetsAreFoundByTime: "OffsetsForTimes always answers the end",
        .aGroupReplaysFromATime: "OffsetsForTimes always answers the end",
        .aCommitDuringRevocationWorks: "refuses commits from the moment on when a group begins to rebalance",
        .aGroupWithoutMembersIsWoundBack: "takes no commits from outside for a group that has had members",
        .groupsShowTheirLiveMembers: "has no listing of groups",
        .creatingATopicAgainChangesNothing: "has no CreateTopics",
        .topicsAreCreatedByManyAtOnce: "has no CreateTopics",
        .aTopicThatIsNotThereIsUnknown: "makes a topic when it is asked about one",
        .aTopicKeepsItsAge: "has no retention by age",
        .compactionKeepsTheNewestOfEachKey: "has no compaction",
        .tombstonesGoWhenTheirAgeIsReached: "has no compaction",
    ]
}
