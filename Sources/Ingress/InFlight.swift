import EventLog
import NIOCore
import Synchronization

/// Bytes of the bodies being received and of the records on their way to the log, over all connections, with a bound.
///
/// A delivery stays counted until the log is through with it, even when its sender was answered 503 long ago: a log
/// that stalls fills the budget, and from then on senders are refused at once instead of after the deadline.
///
/// Bytes count when they are there, never when they are announced: a length costs its sender nothing. And whoever has
/// proven nothing yet (the signature comes after the body, a head is not whole) shares one half, so that anybody's
/// bytes can shut out at most those who have proven nothing either.
final class InFlightBudget: Sendable {
    let limit: Int
    private let unproven: Share
    private let all: Share

    /// A count with a bound.
    private struct Share: ~Copyable, Sendable {
        let limit: Int
        private let used = Atomic(0)

        init(limit: Int) { self.limit = limit }

        var bytes: Int { used.load(ordering: .relaxed) }

        func add(_ bytes: Int) -> Bool {
            if used.add(bytes, ordering: .relaxed).newValue <= limit { return true }
            subtract(bytes)
            return false
        }

        func subtract(_ bytes: Int) {
            let left = used.subtract(bytes, ordering: .relaxed).newValue
            assert(left >= 0, "released more than was reserved")
        }
    }

    /// - Parameter largest: bytes of a body that must fit into the half, however small the whole is.
    init(limit: Int, largest: Int = 0) {
        self.limit = limit
        all = Share(limit: limit)
        unproven = Share(limit: max(limit / 2, min(largest, limit)))
    }

    var bytes: Int { all.bytes }

    /// Whether so many bytes would fit now. Nothing is taken.
    func hasRoom(for bytes: Int, isProven: Bool) -> Bool {
        all.bytes + bytes <= all.limit && (isProven || unproven.bytes + bytes <= unproven.limit)
    }

    /// False: they do not fit, and nothing was taken.
    func reserve(_ bytes: Int, isProven: Bool = true) -> Bool {
        if isProven { return all.add(bytes) }
        guard unproven.add(bytes) else { return false }
        if all.add(bytes) { return true }
        unproven.subtract(bytes)
        return false
    }

    func release(_ bytes: Int, isProven: Bool = true) {
        all.subtract(bytes)
        if !isProven { unproven.subtract(bytes) }
    }

    /// The sender of these bytes has proven who it is.
    func prove(_ bytes: Int) { unproven.subtract(bytes) }
}

/// The log's word on one delivery.
struct Acknowledgement: Sendable {
    var connection: Connections.ID
    /// Number of the request on its connection: a late word must not answer the next request.
    var request: UInt64
    /// Nil when every record is durable.
    var failure: LogError.Code?
    /// When it came.
    var time: NIODeadline
}

/// Takes acknowledgements on the log's thread and brings them to the event loop, with one hop for all that come
/// while a hop is under way.
final class AcknowledgementQueue: Sendable {
    private struct State {
        var waiting: [Acknowledgement] = []
        /// False once the loop is about to end: nobody is left to be answered.
        var isOpen = true
    }

    private let state = Mutex(State())
    private let loop: any EventLoop
    private let connections: NIOLoopBound<Connections>
    let core: IngressCore

    /// On the loop of `connections`.
    init(_ connections: Connections, of core: IngressCore, on loop: any EventLoop) {
        self.core = core
        self.loop = loop
        self.connections = NIOLoopBound(connections, eventLoop: loop)
    }

    /// The log's word on a delivery: takes it off the budget and brings it to its connection.
    func answered(
        _ failure: LogError.Code?, _ bytes: Int, sentAt: NIODeadline, on connection: Connections.ID, _ request: UInt64
    ) {
        let time = core.logAnswered(failure, bytes, sentAt: sentAt)
        deliver(Acknowledgement(connection: connection, request: request, failure: failure, time: time))
    }

    /// On any thread; on the connections' own loop without a hop.
    func deliver(_ acknowledgement: Acknowledgement) {
        if loop.inEventLoop { return connections.value.acknowledge(acknowledgement) }
        state.withLock { state in
            guard state.isOpen else { return }
            state.waiting.append(acknowledgement)
            // Inside the lock, so that no hop begins after `close`: the loop may be gone by then.
            if state.waiting.count == 1 { loop.execute { self.drain() } }
        }
    }

    func close() {
        state.withLock { $0 = State(waiting: [], isOpen: false) }
    }

    private func drain() {
        let arrived = state.withLock { state in
            defer { state.waiting.removeAll() }
            return state.waiting
        }
        for acknowledgement in arrived { connections.value.acknowledge(acknowledgement) }
    }
}
