import EventLog
import Synchronization
import Testing

@testable import Processing

/// Adds up what it is told.
private final class Tally: ProcessorObserver {
    struct Sums {
        var received = 0
        var outcomes: [HandlingOutcome: Int] = [:]
        var produced = 0
        var offset: Offset = 0
        var mostParked = 0
        var stuck: [TopicPartition] = []
        var released: [TopicPartition] = []
    }
    private let state = Mutex(Sums())
    var sums: Sums { state.withLock { $0 } }

    func received(_ records: Int, from partition: TopicPartition) { state.withLock { $0.received += records } }
    func handled(_ partition: TopicPartition, _ outcome: HandlingOutcome, took: [Duration]) {
        state.withLock { $0.outcomes[outcome, default: 0] += took.count }
    }
    func produced(_ records: Int) { state.withLock { $0.produced += records } }
    func progressed(_ partition: TopicPartition, to offset: Offset, parked: Int, oldest: Timestamp?) {
        state.withLock { state in
            state.offset = offset
            state.mostParked = max(state.mostParked, parked)
        }
    }
    func stuck(_ partition: TopicPartition) { state.withLock { $0.stuck.append(partition) } }
    func released(_ partition: TopicPartition) { state.withLock { $0.released.append(partition) } }
}

@Suite struct ObserverTests {
    @Test func whatHappensIsCounted() async throws {
        try await World.with { world in
            let tally = Tally()
            try await world.write((0..<10).map { ("k\($0)", "\($0)") })
            let processor = TestProcessor { record, context in
                if record.valueText == "3" { throw HandlerFailure.permanent("bad", "") }
                if record.valueText == "5", context.attempt == 1 { throw HandlerFailure.transient("once", "") }
                return [record.copy()]
            }
            let runtime = world.start(processor, observer: tally)
            try await world.waitUntilDone()
            try await runtime.stop()
            let sums = tally.sums
            #expect(sums.received == 10)
            #expect(sums.outcomes == [.done: 9, .failed: 2, .dead: 1])
            #expect(sums.produced == 10)
            #expect(sums.offset == 10)
        }
    }

    @Test func aPartitionWhoseLogEndsBeforeItsCommitStandsStillAndSaysSo() async throws {
        try await World.with(partitions: 2) { world in
            let tally = Tally()
            let source = TopicPartition("in", 0)
            try await world.log.admin.setCommits([source: Commit(offset: 100)], of: World.group)
            let runtime = world.start(TestProcessor { record, _ in [record.copy()] }, observer: tally)
            try await eventually("it is stuck") { tally.sums.stuck == [source] }
            try await world.log.produce([Record(topic: "in", partition: 1, key: nil, value: [65])])
            try await eventually("the other one goes on") { try await world.progress("in", 1).offset == 1 }
            try await runtime.stop()
            #expect(try await world.progress().offset == 100)
        }
    }
}
