import Dispatch
import EventLog
import Synchronization

/// Something to do inside a group commit.
struct WriteJob: Sendable {
    enum Kind {
        /// Who is in a group and owns what. Must not wait behind a full queue; and need not wait for the disk, since
        /// a machine that loses it has been started anew, which ends all leases.
        case membership
        case data
    }

    var kind = Kind.data
    var records = 0
    var bytes = 0
    /// Does the work, and answers what to call when it is durable. May refuse with a `LogError`, but only before it
    /// has written anything; any other error undoes the whole commit.
    let apply: @Sendable (WriteTransaction) throws -> @Sendable () -> Void
    /// Called instead when the job was refused or the commit failed.
    let fail: @Sendable (LogError) -> Void
}

/// What waits for the writer. Bounded for producers; other jobs are bounded by their callers, who await them one by one.
final class WriteQueue: Sendable {
    fileprivate struct State {
        var memberships: [WriteJob] = []
        /// Nil up to `head`: what was taken. Removing from an array's front one by one would move the rest each time.
        var data: [WriteJob?] = []
        var head = 0
        var records = 0
        var bytes = 0
        var isClosed = false
        var isWaiting = false

        var isEmpty: Bool { memberships.isEmpty && head == data.count }
    }

    private let state = Mutex(State())
    private let signal = DispatchSemaphore(value: 0)
    private let maxRecords: Int
    private let maxBytes: Int

    init(maxRecords: Int, maxBytes: Int) {
        self.maxRecords = maxRecords
        self.maxBytes = maxBytes
    }

    /// Nil when the job was taken. `isBounded` jobs are refused while the queue is full; an empty queue takes any.
    func add(_ job: WriteJob, isBounded: Bool) -> LogError? {
        let (refusal, wakes): (LogError?, Bool) = state.withLock { state in
            if state.isClosed { return (.logIsClosed, false) }
            let isFull = state.records + job.records > maxRecords || state.bytes + job.bytes > maxBytes
            if isBounded, isFull, state.records > 0 {
                return (LogError(.queueFull, "\(state.records) records wait for the disk"), false)
            }
            state.records += job.records
            state.bytes += job.bytes
            switch job.kind {
            case .membership: state.memberships.append(job)
            case .data: state.data.append(job)
            }
            defer { state.isWaiting = false }
            return (nil, state.isWaiting)
        }
        if wakes { signal.signal() }
        return refusal
    }

    /// Waits for jobs and takes as many as fit into one commit, one at least. Nil when closed and empty.
    func take(maxRecords: Int, maxBytes: Int) -> [WriteJob]? {
        while true {
            let (batch, isOver): ([WriteJob], Bool) = state.withLock { state in
                if state.isEmpty {
                    state.isWaiting = !state.isClosed
                    return ([], state.isClosed)
                }
                return (state.takeBatch(maxRecords: maxRecords, maxBytes: maxBytes), false)
            }
            if isOver { return nil }
            if !batch.isEmpty { return batch }
            signal.wait()
        }
    }

    /// The jobs are done: their share of the bound is free.
    func finished(_ batch: [WriteJob]) {
        state.withLock { state in
            for job in batch {
                state.records -= job.records
                state.bytes -= job.bytes
            }
        }
    }

    /// What is queued is still done; nothing is taken any more.
    func close() {
        let wakes = state.withLock { state in
            state.isClosed = true
            defer { state.isWaiting = false }
            return state.isWaiting
        }
        if wakes { signal.signal() }
    }
}

extension WriteQueue.State {
    mutating func takeBatch(maxRecords: Int, maxBytes: Int) -> [WriteJob] {
        var batch = memberships
        memberships.removeAll()
        var records = 0
        var bytes = 0
        while head < data.count, let job = data[head] {
            if records > 0, records + job.records > maxRecords || bytes + job.bytes > maxBytes { break }
            records += job.records
            bytes += job.bytes
            batch.append(job)
            data[head] = nil
            head += 1
        }
        if head == data.count {
            data.removeAll(keepingCapacity: true)
            head = 0
        } else if head > 4_096 {
            data.removeFirst(head)
            head = 0
        }
        return batch
    }
}
