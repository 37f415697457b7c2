import EventLog
import Testing

@testable import KafkaLog

/// When commits go out, and which together.
@Suite struct CommitQueueTests {
    private let t0 = TopicPartition("t", 0)
    private let t1 = TopicPartition("t", 1)
    private let start = ContinuousClock.now

    private func add(_ commits: [TopicPartition: Commit], to queue: inout CommitQueue) {
        queue.add(commits, deadline: start + .seconds(60)) { _ in }
    }
    private func next(_ queue: inout CommitQueue, at time: Duration) -> [TopicPartition: Commit]? {
        var answers: [() -> Void] = []
        return queue.next(owned: [t0, t1], at: start + time, answers: &answers)
    }
    private func succeed(_ queue: inout CommitQueue) {
        var answers: [() -> Void] = []
        queue.finish(with: { _ in .success(()) }, answers: &answers)
    }

    @Test func progressAloneKeepsItsDistanceAndGoesOutTogether() {
        var queue = CommitQueue(now: start)
        useUpBurst(&queue)
        add([t0: Commit(offset: 20)], to: &queue)
        add([t1: Commit(offset: 7)], to: &queue)
        let early = next(&queue, at: CommitQueue.distance / 2)
        #expect(early == nil)
        #expect(queue.due == start + CommitQueue.distance)
        let due = next(&queue, at: CommitQueue.distance)
        #expect(due == [t0: Commit(offset: 20), t1: Commit(offset: 7)])
    }

    /// After a quiet time each goes out at once.
    private func useUpBurst(_ queue: inout CommitQueue) {
        for offset in 1...CommitQueue.burst {
            add([t0: Commit(offset: Offset(offset))], to: &queue)
            let request = next(&queue, at: .zero)
            #expect(request == [t0: Commit(offset: Offset(offset))])
            succeed(&queue)
        }
    }

    @Test func aMarkGoesOutAtOnceAndTakesTheOthersAlong() {
        var queue = CommitQueue(now: start)
        useUpBurst(&queue)
        add([t0: Commit(offset: 20, metadata: "mr1 p=3 t=0.1.7")], to: &queue)
        let early = next(&queue, at: .milliseconds(1))
        #expect(early == nil, "nobody waits for it to be known what is parked")
        let marked = Commit(offset: 3, metadata: "mr1 a=0")
        add([t1: marked], to: &queue)
        let request = next(&queue, at: .milliseconds(1))
        #expect(request == [t0: Commit(offset: 20, metadata: "mr1 p=3 t=0.1.7"), t1: marked])
        #expect(queue.due == nil, "one request at a time")
    }
}
