import EventLog
import Synchronization

/// Work handed to one handler task: many records of a lane in ordered mode, one record of a key in concurrent mode.
///
/// The mark is the one thing that lane and task share while the task works, so that a record of a batch costs no lock
/// of the lane: the task says which record it is at, the lane says whether the task may go on.
final class Run<Instant: InstantProtocol & Sendable>: Sendable where Instant.Duration == Duration {
    enum Leave: Sendable {
        case goOn
        /// Begin no other record; hand back what is done.
        case stop
        /// Nobody waits for the result any more.
        case disowned
    }

    private struct Mark {
        var index = 0
        var since: Instant
        var leave = Leave.goOn
        var task: Task<Void, Never>?
    }

    let id: UInt64
    let key: RecordKey
    let works: Works
    let isSide: Bool
    /// Keys that wait for a parked record: of these nothing is handled.
    let blocked: OrderKeySet
    private let mark: Mutex<Mark>

    init(id: UInt64, key: RecordKey, works: Works, blocked: OrderKeySet = OrderKeySet(), now: Instant) {
        self.id = id
        self.key = key
        self.works = works
        self.blocked = blocked
        isSide = works[0].isSide
        mark = Mutex(Mark(since: now))
    }

    /// The task is about to handle the record at `index`; after the last one: to end the batch.
    func begin(_ index: Int, at now: Instant) -> Leave {
        mark.withLock { mark in
            if case .goOn = mark.leave {
                mark.index = index
                mark.since = now
            }
            return mark.leave
        }
    }

    /// When what is being handled began.
    var since: Instant { mark.withLock(\.since) }

    func attach(_ task: Task<Void, Never>) {
        let isLate = mark.withLock { mark in
            mark.task = task
            if case .disowned = mark.leave { return true }
            return false
        }
        if isLate { task.cancel() }
    }

    /// The time of the record that is being handled counts from now.
    func restart(at now: Instant) { mark.withLock { $0.since = now } }

    func stop() {
        mark.withLock { mark in
            if case .goOn = mark.leave { mark.leave = .stop }
        }
    }

    /// Gives the task up: its result will be discarded. With `limit`, only if it has been at one record longer than
    /// that. Answers the index it was at.
    func disown(olderThan limit: Duration? = nil, at now: Instant) -> Int? {
        let (index, task): (Int?, Task<Void, Never>?) = mark.withLock { mark in
            if let limit, mark.since.duration(to: now) < limit { return (nil, nil) }
            mark.leave = .disowned
            return (mark.index, mark.task)
        }
        task?.cancel()
        return index
    }
}

/// What became of a run's records: one outcome per record, from the first on; those without were not begun.
struct RunResult: Sendable {
    enum Outcome: Sendable {
        case done([Record])
        indirect case failed(HandlerFailure)
        /// An earlier record of its key failed, in this run or before.
        case behind

        var isDone: Bool { if case .done = self { true } else { false } }
    }

    var outcomes: [Outcome] = []
    /// Outputs of `endBatch`.
    var batchOutputs: [Record] = []
    var writes: StateWrites = [:]
    /// Of a side input.
    var wakes: [Wake] = []
    /// All is down: the records without outcome are to be handled again when it is up.
    var outage: HandlerFailure?
    /// The batch as a whole failed: each record is to be handled again in a batch of its own.
    var mustBeRepeated = false
}
