import EventLog
import NIOCore

/// One connection: takes requests in order, one at a time, hands their bodies to the log and answers.
///
/// It is a channel handler all the way: no task and no suspension per request. The log's word comes back through
/// `AcknowledgementQueue`, time-outs through the sweep of `Connections`. What comes behind a request in work stays
/// unread, first here, then in the kernel.
///
/// A request that is refused early may still be on its way here. Closing then would reset the connection and could
/// destroy the answer in the sender's buffers, so a small rest is read and dropped, and for a large one our side alone
/// is closed and the sender is listened to for a while (`lingering`), both bounded.
///
/// What arrives is read in `WebhookHandler+Reading`, and becomes deliveries and answers in `WebhookHandler+Requests`.
final class WebhookHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let core: IngressCore
    let connections: Connections
    let acknowledgements: AcknowledgementQueue
    private(set) var id: Connections.ID = 0
    /// One connection too many: it is told so and closed.
    private var isSurplus = false
    private(set) var context: ChannelHandlerContext?
    /// Nil over TLS.
    private(set) var socket: AnswerSocket?
    /// What the socket did not take, and NIO has not written yet.
    var queuedWrites = 0
    private let isPlain: Bool

    var state = State.idle
    /// When `expire` is due; what that means depends on the state.
    var deadline = NIODeadline.distantFuture
    /// The time of what is being handled: input, an acknowledgement, a deadline. The clock is read once for each.
    var now: NIODeadline

    /// Somebody has shown a channel's credentials here. Who has not may not stay for long.
    var isTrusted = false

    // Of the request in work.
    var persistence = Persistence.close
    var delivery: Delivery?
    var stored = RecordCounts()
    var requestNumber: UInt64 = 0
    /// When its head was complete.
    var began: NIODeadline?
    var droppedBytes = 0
    /// Beyond so many dropped bytes the connection ends.
    var discardLimit = WebhookHandler.maxDiscardedBytes

    // Of the bytes that come.
    /// The others have their turn before this one goes on.
    var isYielding = false
    var input: RequestInput
    var isParsing = false
    var readIsHeld = false
    private(set) var inputIsClosed = false
    /// As the channel said last: asking it costs more than it says.
    var isWritable = true
    /// The beginning of a head has come, and its time runs.
    var headIsPartial = false
    /// Reserved in the budget for what waits in `input` between requests.
    var inputReserved = 0

    /// - Parameter isPlain: what is written here goes onto the wire as it is.
    init(_ core: IngressCore, _ connections: Connections, _ acknowledgements: AcknowledgementQueue, isPlain: Bool) {
        self.isPlain = isPlain
        self.core = core
        self.connections = connections
        self.acknowledgements = acknowledgements
        now = core.clock()
        input = RequestInput(HTTP1Parser.Limits(headerBytes: core.configuration.maxHeaderBytes))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        id = connections.add(self)
        isSurplus = core.metrics.opened() > core.configuration.maxConnections
        deadline = core.clock() + core.times.header
    }

    func channelActive(context: ChannelHandlerContext) {
        if isPlain { socket = AnswerSocket(context.channel) }
        if isSurplus { turnAway() }
        context.fireChannelActive()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        connections.remove(id)
        core.metrics.closed()
        self.context = nil
        socket = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        dropDelivery()
        if state == .storing { core.endStoring() }
        state = .closed
        dropInput()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            inputIsClosed = true
            abortIfNothingCanCome()
        }
        context.fireUserInboundEventTriggered(event)
    }

    /// Nobody behind this handler wants to know.
    func channelReadComplete(context: ChannelHandlerContext) {}

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// Time is up for what the connection is doing.
    func expire() {
        now = core.clock()
        switch state {
        case .idle where headIsPartial, .receiving: end(with: .requestTimeout)
        case .storing:
            core.logFailed(.ackDeadline, nil)
            finish(.ackDeadline)
            resume()
        case .idle, .discarding, .lingering: abort()
        case .closed: break
        }
    }

    /// The server stops: the request in work, or on its way, is the last one.
    func drain() { persistence = .close }

    /// Nothing of a request has come, and none is waited for any more.
    func leave() {
        now = core.clock()
        if state == .idle, input.isEmpty { linger() }
    }

    func abort() { context?.close(promise: nil) }

    /// The peer has closed its side, perhaps that alone, and may still wait for answers; without any to come there is
    /// nothing to wait for: what is in the middle of a request stays there.
    func abortIfNothingCanCome() {
        if inputIsClosed, !isBusy { abort() }
    }
}

@available(*, unavailable)
extension WebhookHandler: Sendable {}
