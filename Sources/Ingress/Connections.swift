import EventLog
import NIOCore
import WhatsApp

/// The connections of one event loop: finds the one an acknowledgement is for, and watches their deadlines.
///
/// One sweep over all connections every `interval` replaces a timer per request: setting a deadline is then a store.
/// Lives on its event loop alone.
final class Connections {
    typealias ID = Int

    private var handlers: [ID: WebhookHandler] = [:]
    private var lastID = 0
    private var emptied: EventLoopPromise<Void>?
    private(set) var isDraining = false
    private let outbox: Outbox
    /// For requests that bring no trace of their own.
    private var traces = Traceparents()
    private let workspace = WebhookWorkspace()

    private let clock: @Sendable () -> NIODeadline
    private let loop: NIOIsolatedEventLoop
    /// They have more requests, and let others go first.
    private var yielding: [WebhookHandler] = []
    private var areGoingOn = false
    /// Long enough that the loop looks for news of all connections: what is due at once runs before it does.
    private static let turn = TimeAmount.microseconds(200)

    init(_ producer: any Producer, on loop: any EventLoop, clock: @escaping @Sendable () -> NIODeadline) {
        self.loop = loop.assumeIsolated()
        outbox = Outbox(producer, on: loop)
        self.clock = clock
    }

    func add(_ handler: WebhookHandler) -> ID {
        lastID += 1
        handlers[lastID] = handler
        return lastID
    }

    func remove(_ id: ID) {
        handlers[id] = nil
        guard handlers.isEmpty else { return }
        emptied?.succeed()
        emptied = nil
    }

    /// Calls `goOn` of the connection when the others had a turn.
    func yield(_ handler: WebhookHandler) {
        yielding.append(handler)
        if yielding.count == 1, !areGoingOn { scheduleTurn() }
    }

    private func scheduleTurn() {
        loop.scheduleTask(in: Self.turn) {
            self.areGoingOn = true
            let handlers = self.yielding
            self.yielding = []
            for handler in handlers { handler.goOn() }
            self.areGoingOn = false
            // From now, when all have worked, so that it is not due at once.
            if !self.yielding.isEmpty { self.scheduleTurn() }
        }
    }

    func split(
        _ delivery: borrowing Delivery, _ core: IngressCore
    ) throws(SplitError) -> (records: [Record], bytes: Int, counts: RecordCounts) {
        try delivery.split(core, &traces, workspace)
    }

    /// Hands the records to the log at the end of the loop's turn.
    func send(_ records: [Record], completion: @escaping Outbox.Completion) {
        outbox.send(records, completion: completion)
    }

    func acknowledge(_ acknowledgement: Acknowledgement) {
        handlers[acknowledgement.connection]?.acknowledge(acknowledgement)
    }

    /// Ends what is past its deadline, again and again.
    func sweep(every interval: TimeAmount, on loop: any EventLoop) {
        loop.assumeIsolated().scheduleTask(in: interval) {
            let now = self.clock()
            // A copy: what expires may leave `handlers`.
            for handler in Array(self.handlers.values) where handler.deadline < now { handler.expire() }
            self.sweep(every: interval, on: loop)
        }
    }

    /// Lets every connection finish its request, and those that may be about to send one do so until `leave`; `promise`
    /// succeeds when no connection is left.
    func drain(_ promise: EventLoopPromise<Void>) {
        isDraining = true
        guard !handlers.isEmpty else { return promise.succeed() }
        emptied = promise
        for handler in Array(handlers.values) { handler.drain() }
    }

    /// Closes what is idle.
    func leave() {
        for handler in Array(handlers.values) { handler.leave() }
    }

    /// Answers what is not through yet that time is up.
    func expireAll() {
        for handler in Array(handlers.values) { handler.expire() }
    }

    func closeAll() {
        for handler in Array(handlers.values) { handler.abort() }
    }
}
