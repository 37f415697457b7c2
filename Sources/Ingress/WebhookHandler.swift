import EventLog
import NIOCore

/// One connection: takes requests in order, one at a time, hands their bodies to the log and answers.
///
/// It is a channel handler all the way: no task and no suspension per request. The log's word comes back through
/// `AcknowledgementQueue`, time-outs through the sweep of `Connections`.
///
/// A request that is refused early may still be on its way here. Closing then would reset the connection and could
/// destroy the answer in the sender's buffers, so a small rest is read and dropped, and for a large one our side alone
/// is closed and the sender is listened to for a while (`lingering`), both bounded.
final class WebhookHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTP1Parser.Part
    typealias OutboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    private let core: IngressCore
    private let connections: Connections
    private let acknowledgements: AcknowledgementQueue
    private var id: Connections.ID = 0
    /// One connection too many: it is told so and closed.
    private var isSurplus = false
    private var context: ChannelHandlerContext?

    private var state = State.idle
    /// When `expire` is due; what that means depends on the state.
    private(set) var deadline = NIODeadline.distantFuture
    private var persistence = Persistence.close
    private var delivery: Delivery?
    private var stored = RecordCounts()
    private var requestNumber: UInt64 = 0
    /// When the head of the request in work was complete.
    private var began: NIODeadline?
    private var droppedBytes = 0

    private var waiting = CircularBuffer<RequestPart>(initialCapacity: 1)
    private var readIsHeld = false
    private var inputIsClosed = false
    /// Bytes have come that do not make a head yet.
    private var headIsPartial = false
    private var sawPart = false

    init(_ core: IngressCore, _ connections: Connections, _ acknowledgements: AcknowledgementQueue) {
        self.core = core
        self.connections = connections
        self.acknowledgements = acknowledgements
    }

    // MARK: Life of the channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        id = connections.add(self)
        isSurplus = core.metrics.opened() > core.configuration.maxConnections
        deadline = .now() + core.times.header
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        connections.remove(id)
        core.metrics.closed()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        dropDelivery()
        if state == .storing { core.metrics.storing(-1) }
        state = .closed
        waiting.removeAll()
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            // The peer may have closed its side only, and still wait for answers.
            inputIsClosed = true
            switch state {
            case .idle where waiting.isEmpty, .lingering: context.close(promise: nil)
            default: break
            }
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if let bytes = HTTP1Parser.bytesAfterFailure(in: error) {
            drop(bytes)
        } else if let answer = HTTP1Parser.answer(to: error) {
            take(.malformed(answer))
        } else {
            context.close(promise: nil)
        }
    }

    /// Time is up for what the connection is doing.
    func expire() {
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

    /// The server stops: the request in work, if any, is the last one.
    func drain() {
        persistence = .close
        if state == .idle, waiting.isEmpty, !headIsPartial { linger() }
    }

    func abort() { context?.close(promise: nil) }

    // MARK: Reading

    func read(context: ChannelHandlerContext) {
        if waiting.isEmpty { context.read() } else { readIsHeld = true }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        sawPart = true
        take(RequestPart(unwrapInboundIn(data)))
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        if !sawPart, state == .idle, waiting.isEmpty, !headIsPartial {
            headIsPartial = true
            deadline = min(deadline, .now() + core.times.header)
        }
        sawPart = false
        context.fireChannelReadComplete()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        resume()
        context.fireChannelWritabilityChanged()
    }

    /// Whether the next part has to wait: for the answer before it, or for a peer that does not read its answers.
    private var isBusy: Bool {
        state == .storing || (state == .idle && context?.channel.isWritable == false)
    }

    private func take(_ part: RequestPart) {
        if waiting.isEmpty, !isBusy { return handle(part) }
        if waiting.count < Self.maxWaitingParts { return waiting.append(part) }
        // Nobody pipelines so much in earnest. What is in work is answered, the rest is not.
        persistence = .close
        if state == .idle { linger() }
    }

    /// Goes on with what waited, then with reading.
    private func resume() {
        while !isBusy, let part = waiting.popFirst() { handle(part) }
        guard waiting.isEmpty else { return }
        if state == .idle, inputIsClosed { abort() }
        if readIsHeld {
            readIsHeld = false
            context?.read()
        }
    }

    private func handle(_ part: RequestPart) {
        switch (state, part) {
        case (.idle, .head(let head)): begin(head)
        case (.receiving, .body(let bytes)):
            if let refusal = delivery!.append(bytes, core) { end(with: refusal) }
        case (.receiving, .end): store()
        case (.discarding, .body(let bytes)), (.lingering, .body(let bytes)): drop(bytes.readableBytes)
        case (.discarding, .end): becomeIdle()
        case (.idle, .malformed(let answer)), (.receiving, .malformed(let answer)): end(with: answer)
        case (.discarding, .malformed): linger()
        case (.lingering, _), (.closed, _): break
        case (.idle, _), (.receiving, .head), (.discarding, .head), (.storing, _):
            preconditionFailure("the parser gives head, body and end in order, and nothing is handled while storing")
        }
    }

    private func drop(_ bytes: Int) {
        droppedBytes += bytes
        switch state {
        case .discarding where droppedBytes > Self.maxDiscardedBytes: linger()
        case .lingering where droppedBytes > Self.maxLingeringBytes: abort()
        default: break
        }
    }

    // MARK: One request

    private func begin(_ head: RequestHead) {
        headIsPartial = false
        let now = NIODeadline.now()
        began = now
        persistence = connections.isDraining ? .close : head.persistence
        switch isSurplus ? .failure(.tooManyConnections) : Delivery.admit(head, core) {
        case .success(let admitted):
            delivery = admitted
            state = .receiving
            deadline = now + core.times.body
            if head.expectation == .continueResponse { write(Answer.continueResponse) }
        case .failure(let answer): refuse(answer, head)
        }
    }

    private func refuse(_ answer: Answer, _ head: RequestHead) {
        let rest = if case .length(let length) = head.framing { length } else { 0 }
        // Who waits for 100 may or may not send the body after a refusal, so the next request could not be found.
        if answer.endsConnection || head.expectation != .none || rest > Self.maxDiscardedBytes { persistence = .close }
        answered(answer, withBody: head.method != .head)
        if persistence == .close { return linger() }
        state = .discarding
        droppedBytes = 0
        deadline = .now() + core.times.body
    }

    /// Splits the body and gives the records to the log.
    private func store() {
        guard let delivery = self.delivery.take() else { preconditionFailure("receiving without a delivery") }
        core.budget.release(delivery.reserved)
        let records: [Record]
        let bytes: Int
        do {
            (records, bytes, stored) = try delivery.split(core, &connections.traces)
        } catch {
            return finish(.invalidJSON)
        }
        guard core.budget.reserve(bytes) else { return finish(.overloaded) }
        state = .storing
        let now = NIODeadline.now()
        deadline = now + core.times.ack
        requestNumber &+= 1
        core.metrics.storing(1)
        core.producerHealth.sent(at: now)
        core.producer.send(records) { [core, acknowledgements, id, requestNumber] result in
            core.budget.release(bytes)
            let failure: LogError.Code? = if case .failure(let error) = result { error.code } else { nil }
            core.logAnswered(failure, sentAt: now)
            acknowledgements.deliver(Acknowledgement(connection: id, request: requestNumber, failure: failure))
        }
    }

    /// The log's word on request number `acknowledgement.request`; too late when its sender was answered 503 already.
    func acknowledge(_ acknowledgement: Acknowledgement) {
        guard state == .storing, acknowledgement.request == requestNumber else { return }
        if let failure = acknowledgement.failure {
            let answer = Answer(failure)
            core.logFailed(answer, failure)
            finish(answer)
        } else {
            core.metrics.received(stored)
            finish(.stored)
        }
        resume()
    }

    // MARK: Answering

    /// Answers a request that has been read to its end.
    private func finish(_ answer: Answer) {
        if state == .storing { core.metrics.storing(-1) }
        answered(answer, withBody: true)
        if persistence == .close { linger() } else { becomeIdle() }
    }

    /// Answers in the middle of a request, the last one of this connection.
    private func end(with answer: Answer) {
        dropDelivery()
        persistence = .close
        answered(answer, withBody: true)
        linger()
    }

    private func answered(_ answer: Answer, withBody: Bool) {
        let now = NIODeadline.now()
        core.metrics.answered(answer, after: now - (began ?? now))
        began = nil
        write(answer.bytes(persistence, withBody: withBody))
    }

    private func write(_ bytes: ByteBuffer) {
        context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    private func becomeIdle() {
        state = .idle
        deadline = .now() + core.times.idle
        if waiting.isEmpty, connections.isDraining || inputIsClosed { linger() }
    }

    private func linger() {
        state = .lingering
        deadline = .now() + core.times.linger
        droppedBytes = 0
        waiting.removeAll()
        // Closes our side once everything written is sent.
        context?.close(mode: .output, promise: nil)
        if inputIsClosed { abort() }
    }

    private func dropDelivery() {
        if let delivery = self.delivery.take() { core.budget.release(delivery.reserved) }
    }
}

@available(*, unavailable)
extension WebhookHandler: Sendable {}
