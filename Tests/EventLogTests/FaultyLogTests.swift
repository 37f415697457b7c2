import EventLog
import EventLogTesting
import Synchronization
import Testing

@Suite struct FaultyLogTests {
    private let record = Record(topic: "t", key: nil, value: [1])

    @Test func theSameSeedGivesTheSameFates() async {
        let plan = FaultPlan(seed: 7, refusedProduces: 0.2, lostProduceAnswers: 0.2)
        let first = await fates(of: 100, plan)
        #expect(await fates(of: 100, plan) == first)
        #expect(await fates(of: 100, FaultPlan(seed: 8, refusedProduces: 0.2, lostProduceAnswers: 0.2)) != first)
        #expect(Set(first.map(\.succeeded)) == [true, false])
    }

    @Test func aRefusedProduceLeavesNoTraceAndALostAnswerDoes() async {
        let refused = await fates(of: 5, FaultPlan(seed: 1, refusedProduces: 1))
        #expect(refused.allSatisfy { !$0.succeeded && !$0.stored })
        let lost = await fates(of: 5, FaultPlan(seed: 1, lostProduceAnswers: 1))
        #expect(lost.allSatisfy { !$0.succeeded && $0.stored })
    }

    @Test func breaksDownAndIsRepaired() async throws {
        let base = CountingLog()
        let log = FaultyLog(base, plan: .none)
        try await log.produce([record])
        log.breakDown(.unavailable)
        let error = await #expect(throws: LogError.self) { try await log.produce([record]) }
        #expect(error?.code == .unavailable)
        log.repair()
        try await log.produce([record])
        #expect(base.produced == 2)
        #expect(log.injected == 1)
    }

    @Test func aHealedLogFailsNoMore() async throws {
        let log = FaultyLog(CountingLog(), plan: FaultPlan(seed: 1, refusedProduces: 1))
        log.heal()
        try await log.produce([record])
        #expect(log.injected == 0)
    }

    @Test func commitsFailByTheirOwnShares() async throws {
        let base = CountingLog()
        let log = FaultyLog(base, plan: FaultPlan(seed: 1, lostCommitAnswers: 1))
        let consumer = try await log.consumer(ConsumerConfiguration(group: "g", topics: ["t"]))
        let error = await #expect(throws: LogError.self) {
            try await consumer.commit([TopicPartition("t", 0): Commit(offset: 1)])
        }
        #expect(error?.code == .unavailable)
        #expect(base.committed == 1)
        try await consumer.produce([record], for: [TopicPartition("t", 0)])
    }

    private struct Fate: Equatable {
        var succeeded: Bool
        var stored: Bool
    }

    private func fates(of calls: Int, _ plan: FaultPlan) async -> [Fate] {
        let base = CountingLog()
        let log = FaultyLog(base, plan: plan)
        var fates: [Fate] = []
        for _ in 0..<calls {
            let before = base.produced
            let succeeded = (try? await log.produce([record])) != nil
            fates.append(Fate(succeeded: succeeded, stored: base.produced > before))
        }
        return fates
    }
}

/// Counts what reaches it.
private final class CountingLog: Log, Producer, ForwardingConsumer, Admin {
    var base: any Consumer { SilentConsumer() }
    private let counts = Mutex((produced: 0, committed: 0))
    var produced: Int { counts.withLock(\.produced) }
    var committed: Int { counts.withLock(\.committed) }

    var producer: any Producer { self }
    var admin: any Admin { self }
    func consumer(_ configuration: ConsumerConfiguration) async throws(LogError) -> any Consumer { self }
    func reader() async throws(LogError) -> any Reader { throw LogError(.unsupported, "no reader") }

    func send(_ records: [Record], completion: @escaping @Sendable (Result<[RecordPosition], LogError>) -> Void) {
        counts.withLock { $0.produced += records.count }
        completion(.success(records.map { RecordPosition(TopicPartition($0.topic, 0), 0) }))
    }
    func commit(_ commits: [TopicPartition: Commit], outputs: [Record]) async throws(LogError) {
        counts.withLock { $0.committed += 1 }
    }
    func close() async {}

    func createTopics(_ specs: [TopicSpec]) async throws(LogError) {}
    func topics() async throws(LogError) -> [TopicDescription] { [] }
    func watermarks(of partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Watermarks] { [:] }
    func offsets(at time: Timestamp, of partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Offset] { [:] }
    func groups() async throws(LogError) -> [GroupDescription] { [] }
    func commits(of group: String, in partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Commit] { [:] }
    func setCommits(_ commits: [TopicPartition: Commit], of group: String) async throws(LogError) {}
}
