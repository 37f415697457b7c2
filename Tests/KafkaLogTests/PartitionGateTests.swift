import EventLog
import Logging
import Synchronization
import Testing

@testable import KafkaLog

@Suite struct PartitionGateTests {
    @Test func letsFiveGoAndTheRestTogetherWhenOneIsReported() {
        var gate = PartitionGate()
        let admitted = (0..<8).map { Self.admit($0, to: &gate) }
        #expect(admitted == [true, true, true, true, true, false, false, false])
        let released = gate.settle().map(\.index)
        #expect(released == [5, 6, 7])
        // Seven are under way now: the next waits until four are left.
        let isNextAdmitted = Self.admit(8, to: &gate)
        #expect(!isNextAdmitted)
        let later = (0..<3).map { _ in gate.settle().map(\.index) }
        #expect(later == [[], [], [8]])
    }

    @Test func whatIsTakenOutIsHeldNoMore() {
        var gate = PartitionGate()
        for index in 0..<7 { _ = Self.admit(index, to: &gate) }
        let taken = gate.takeHeld().map(\.index)
        #expect(taken == [5, 6])
        let released = (0..<5).flatMap { _ in gate.settle() }
        #expect(released.isEmpty && gate.held.isEmpty)
    }

    private static func admit(_ index: Int, to gate: inout PartitionGate) -> Bool {
        gate.admit(send, at: index)
    }

    /// A broker that answers late has no more of a partition than it can take; the rest comes when it has answered, in order.
    @Test func theLibraryGetsNoMoreOfAPartitionThanItCanSend() async throws {
        let mock = try MockKafka()
        try mock.createTopic("t", partitions: 1)
        let session = try Self.session(mock.bootstrap)
        // The library tells the number of partitions with the first record.
        #expect(await Self.offsets(of: 1, in: session) == [0])
        try mock.setRoundTrip(.milliseconds(500), of: 1)
        let handed = Mutex(0)
        let offsets = await Self.offsets(of: 300, in: session) { handed.withLock { $0 = session.handedOver } }
        // The library counts events of its own among them.
        #expect(handed.withLock { (PartitionGate.mostUnderWay...2 * PartitionGate.mostUnderWay).contains($0) })
        #expect(offsets == (1...300).map { Offset($0) })
    }

    @Test func whatIsHeldFailsWithTheSession() async throws {
        let mock = try MockKafka()
        try mock.createTopic("t", partitions: 1)
        let session = try Self.session(mock.bootstrap)
        #expect(await Self.offsets(of: 1, in: session) == [0])
        // Nothing is answered before it is given up.
        try mock.setRoundTrip(.seconds(60), of: 1)
        let offsets = await Self.offsets(of: 20, in: session) {
            #expect(session.outstanding >= 20)
            session.purge()
        }
        #expect(offsets == Array(repeating: -1, count: 20))
    }

    /// Sends one record a call, does `then`, and drains until all are answered and nothing is outstanding: their offsets,
    /// -1 for a failure.
    private static func offsets(
        of count: Int, in session: ProducerSession, then: @escaping @Sendable () -> Void = {}
    ) async -> [Offset] {
        let answers = Mutex([Offset](repeating: -2, count: count))
        return await withCheckedContinuation { done in
            BlockingThread.start("test") {
                for index in 0..<count {
                    let record = record(index)
                    let send = PendingSend([record], byteCount: record.byteCount, .positions { result in
                        answers.withLock { $0[index] = (try? result.get().first?.offset) ?? -1 }
                    })
                    precondition(session.findTopics(for: send) == nil)
                    if session.handOver(send) { send.finish() }
                }
                then()
                while answers.withLock({ $0.contains(-2) }) || session.outstanding > 0 {
                    for send in session.drainReports(waitMilliseconds: 100) { send.finish() }
                }
                done.resume(returning: answers.withLock { $0 })
            }
        }
    }

    private static func session(_ bootstrap: String) throws -> ProducerSession {
        let settings = RDKafkaSettings(bootstrap: bootstrap, configuration: KafkaLogConfiguration())
        return try ProducerSession(settings: settings, logger: Logger(label: "test"), bell: ReportBell())
    }

    private static func record(_ index: Int) -> Record {
        Record(topic: "t", key: Array("k\(index)".utf8), value: Array("\(index)".utf8))
    }

    /// Never handed over: it stands for any.
    private static let send = PendingSend([], byteCount: 0, .word { _ in })
}
