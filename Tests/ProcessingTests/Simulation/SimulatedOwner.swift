import EventLog
import EventLogTesting
import Logging

@testable import Processing

typealias SimulatedRun = Run<ManualClock.Instant>

/// A handler task in the middle of its run.
struct SimulatedHandler {
    enum Stage: Equatable {
        /// About to handle the record at `index`.
        case ready
        /// Waits for this mark.
        case waiting(UInt64)
        /// May act.
        case marked
    }

    let run: SimulatedRun
    var index = 0
    var stage = Stage.ready
    var failedKeys: Set<OrderKey> = []
    var result = RunResult()

    var work: Work { run.works[index] }
    var isOver: Bool { index == run.works.count }
    /// Its record waits for one of its key that failed.
    var isBehind: Bool { run.blocked.contains(work.record) || failedKeys.contains(OrderKey(work.record)) }
}

/// One owner of the lane: live, or a zombie that does not know of its successor yet.
struct SimulatedOwner {
    let epoch: Int
    let consumer: SimulatedConsumer
    var lane: LaneState<ManualClock.Instant>
    var handlers: [SimulatedHandler] = []
    var commit: CommitJob?
    var positions: [TopicPartition: Offset]
    var paused: Set<TopicPartition> = []
    var isClosed = false
    var lastMark: UInt64 = 0

    init(_ log: SimulatedLog, _ rules: LaneState<ManualClock.Instant>.Rules, seed: UInt64, at now: Timestamp) {
        let epoch = log.content.withLock { content in
            content.epoch += 1
            return content.epoch
        }
        self.epoch = epoch
        consumer = SimulatedConsumer(log: log, epoch: epoch, hasDied: .init())
        lane = LaneState(rules: rules, random: SeededGenerator(seed: seed))
        positions = [:]
        for source in [SimulatedLog.main, SimulatedLog.side] {
            let plan = StartPlan(mode: .none, commit: log.progress(source), birth: 0, state: nil, low: 0)
            let held = log.records(source)
            lane.begin(source, plan, restoring: plan.exceptions.map { held[Int($0)] }, now: now)
            positions[source] = plan.start
        }
    }
}
