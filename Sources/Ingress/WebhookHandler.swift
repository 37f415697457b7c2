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
final class WebhookHandler: ChannelDuplexHandler {
    typealias InboundIn = ByteBuffer
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
    /// The time of what is being handled: input, an acknowledgement, a deadline. The clock is read once for each.
    private var now = NIODeadline.now()
    private var droppedBytes = 0

    private var parser: HTTP1Parser
    /// What has arrived and is not parsed: part of a head, or what has to wait.
    private var input = WebhookHandler.noInput
    private static let noInput = ByteBuffer()
    private var isParsing = false
    private var readIsHeld = false
    private var inputIsClosed = false
    /// The beginning of a head has come, and its time runs.
    private var headIsPartial = false

    init(_ core: IngressCore, _ connections: Connections, _ acknowledgements: AcknowledgementQueue) {
        self.core = core
        parser = HTTP1Parser(HTTP1Parser.Limits(headerBytes: core.configuration.maxHeaderBytes))
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
        input = Self.noInput
        context.fireChannelInactive()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .inputClosed? = event as? ChannelEvent {
            inputIsClosed = true
            abortIfNothingCanCome()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    /// Time is up for what the connection is doing.
    func expire() {
        now = .now()
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
        now = .now()
        persistence = .close
        if state == .idle, input.readableBytes == 0 { linger() }
    }

    func abort() { context?.close(promise: nil) }

    // MARK: Reading

    func read(context: ChannelHandlerContext) {
        if isBusy, input.readableBytes > 0 { readIsHeld = true } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        if state == .lingering || state == .closed { return drop(bytes.readableBytes) }
        if input.readableBytes == 0 {
            input = bytes
        } else {
            input.discardReadBytes()
            input.writeBuffer(&bytes)
        }
        parse()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        resume()
        context.fireChannelWritabilityChanged()
    }

    /// The peer has closed its side, perhaps that alone, and may still wait for answers; without any to come there is
    /// nothing to wait for: what is in the middle of a request stays there.
    private func abortIfNothingCanCome() {
        if inputIsClosed, !isBusy { abort() }
    }

    /// Whether the next request has to wait: for the answer to this one, or for a peer that does not read its answers.
    private var isBusy: Bool {
        state == .storing || (state == .idle && context?.channel.isWritable == false)
    }

    /// Goes on with what waited, then with reading.
    private func resume() {
        // Whoever parses goes on by itself.
        if isParsing { return }
        parse()
        guard !isBusy else { return }
        abortIfNothingCanCome()
        if readIsHeld {
            readIsHeld = false
            context?.read()
        }
    }

    /// Takes the input event by event, as far as it goes.
    private func parse() {
        // An answer may be written on the way and come back as a change of writability.
        if isParsing { return }
        isParsing = true
        defer { isParsing = false }
        if input.readableBytes > 0 { now = .now() }
        while !isBusy, input.readableBytes > 0 || state == .receiving || state == .discarding {
            let (event, taken) = parser.next(input.readableBytesSpan)
            let body: ByteBuffer? =
                if case .body(let range) = event {
                    input.getSlice(at: input.readerIndex + range.lowerBound, length: range.count)
                } else {
                    nil
                }
            input.moveReaderIndex(forwardBy: taken)
            if case .incomplete = event { break }
            handle(event, body)
        }
        // What is read through goes back at once, so that the channel can read into it again.
        if input.readableBytes == 0 { input = Self.noInput }
        noticePartialHead()
    }

    private func noticePartialHead() {
        guard state == .idle, !isBusy, input.readableBytes > 0, !headIsPartial else { return }
        headIsPartial = true
        deadline = min(deadline, now + core.times.header)
    }

    private func handle(_ event: HTTP1Parser.Event, _ body: ByteBuffer?) {
        switch (state, event) {
        case (.idle, .head(let head)): begin(head)
        case (.receiving, .body):
            if let body, let refusal = delivery!.append(body, core) { end(with: refusal) }
        case (.receiving, .end): store()
        case (.discarding, .body(let range)): drop(range.count)
        case (.discarding, .end): becomeIdle()
        case (.idle, .malformed(let answer)), (.receiving, .malformed(let answer)): end(with: answer)
        case (.discarding, .malformed): linger()
        case (_, .incomplete), (.idle, _), (.receiving, .head), (.discarding, .head), (.storing, _), (.lingering, _),
            (.closed, _):
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
        began = now
        persistence = connections.isDraining ? .close : head.persistence
        if head.method == .get, head.framing != .invalid, !isSurplus, let challenge = core.router.challenge(head) {
            return answer(challenge, head)
        }
        switch isSurplus ? .failure(.tooManyConnections) : Delivery.admit(head, core) {
        case .success(let admitted):
            delivery = admitted
            state = .receiving
            deadline = now + core.times.body
            if head.expectation == .continueResponse { write(Answer.continueResponse) }
        case .failure(let answer): refuse(answer, head)
        }
    }

    /// To Meta's handshake.
    private func answer(_ challenge: Result<String, Answer>, _ head: RequestHead) {
        switch challenge {
        case .success(let text): skipBody(of: head) { write(Answer.challenge(text, persistence)) }
        case .failure(let answer): refuse(answer, head)
        }
    }

    private func refuse(_ answer: Answer, _ head: RequestHead) {
        if answer.endsConnection { persistence = .close }
        skipBody(of: head) { answered(answer, withBody: head.method != .head) }
    }

    /// Answers at once and drops the body.
    private func skipBody(of head: RequestHead, answering: () -> Void) {
        let rest = if case .length(let length) = head.framing { length } else { 0 }
        // Who waits for 100 may or may not send the body after a refusal, so the next request could not be found.
        if head.expectation != .none || head.framing == .unsupported || rest > Self.maxDiscardedBytes {
            persistence = .close
        }
        answering()
        if persistence == .close { return linger() }
        state = .discarding
        droppedBytes = 0
        deadline = now + core.times.body
    }

    /// Splits the body and gives the records to the log.
    private func store() {
        guard var delivery = self.delivery.take() else { preconditionFailure("receiving without a delivery") }
        let refusal = delivery.open(core)
        core.budget.release(delivery.reserved)
        if let refusal { return finish(refusal) }
        let records: [Record]
        let bytes: Int
        do {
            (records, bytes, stored) = try delivery.split(core, &connections.traces, connections.workspace)
        } catch {
            return finish(.invalidJSON)
        }
        guard core.budget.reserve(bytes) else { return finish(.overloaded) }
        state = .storing
        deadline = now + core.times.ack
        requestNumber &+= 1
        core.metrics.storing(1)
        core.producerHealth.sent(at: now)
        guard let loop = context?.eventLoop else { preconditionFailure("a request without a channel") }
        connections.outbox.send(records, on: loop) { [core, acknowledgements, id, requestNumber, now] result in
            let time = NIODeadline.now()
            core.budget.release(bytes)
            let failure: LogError.Code? = if case .failure(let error) = result { error.code } else { nil }
            core.logAnswered(failure, sentAt: now, at: time)
            acknowledgements.deliver(
                Acknowledgement(connection: id, request: requestNumber, failure: failure, time: time))
        }
    }

    /// The log's word on request number `acknowledgement.request`; too late when its sender was answered 503 already.
    func acknowledge(_ acknowledgement: Acknowledgement) {
        guard state == .storing, acknowledgement.request == requestNumber else { return }
        now = acknowledgement.time
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
        core.metrics.answered(answer, after: now - (began ?? now))
        began = nil
        write(answer.bytes(persistence, withBody: withBody))
    }

    private func write(_ bytes: ByteBuffer) {
        context?.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
    }

    private func becomeIdle() {
        state = .idle
        deadline = now + core.times.idle
        if input.readableBytes == 0, connections.isDraining || inputIsClosed { linger() }
    }

    private func linger() {
        state = .lingering
        deadline = now + core.times.linger
        droppedBytes = 0
        input = Self.noInput
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
