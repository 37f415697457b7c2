import EventLog
import NIOCore

extension WebhookHandler {
    func begin(_ head: RequestHead) {
        headIsPartial = false
        began = now
        persistence = core.isLeaving.load(ordering: .relaxed) ? .close : head.persistence
        if head.method == .get, head.framing != .invalid, let challenge = core.router.challenge(head) {
            return answer(challenge, head)
        }
        do throws(Answer) {
            delivery = try Delivery.admit(head, core)
            state = .receiving
            deadline = now + core.times.body
            if head.expectation == .continueResponse { write(Answer.continueResponse) }
        } catch {
            refuse(error, head)
        }
    }

    /// To Meta's handshake.
    private func answer(_ challenge: Result<String, Answer>, _ head: RequestHead) {
        switch challenge {
        case .success(let text):
            skipBody(of: head) { Array(Answer.challenge(text, persistence).utf8).withUnsafeBytes { write($0) } }
        case .failure(let answer): refuse(answer, head)
        }
    }

    private func refuse(_ answer: Answer, _ head: RequestHead) {
        if answer.endsConnection { persistence = .close }
        let limit = answer == .overloaded ? core.configuration.maxBodyBytes : Self.maxDiscardedBytes
        skipBody(of: head, upTo: limit) { answered(answer, withBody: head.method != .head) }
    }

    /// Answers at once and drops the body, if it is not larger than `limit`.
    private func skipBody(
        of head: RequestHead, upTo limit: Int = WebhookHandler.maxDiscardedBytes, answering: () -> Void
    ) {
        let rest = if case .length(let length) = head.framing { length } else { 0 }
        discardLimit = limit
        // Who waits for 100 may or may not send the body after a refusal, so the next request could not be found.
        if head.expectation != .none || head.framing == .unsupported || rest > discardLimit {
            persistence = .close
        }
        answering()
        if state == .closed { return }
        if persistence == .close { return linger() }
        state = .discarding
        droppedBytes = 0
        deadline = now + core.times.body
    }

    /// Splits the body and gives the records to the log.
    func store() {
        guard var delivery = self.delivery.take() else { preconditionFailure("receiving without a delivery") }
        let refusal = delivery.open(core)
        delivery.release(core)
        if let refusal { return finish(refusal) }
        isTrusted = true
        let records: [Record]
        let bytes: Int
        do {
            (records, bytes, stored) = try connections.split(delivery, core)
        } catch {
            return finish(.invalidJSON)
        }
        guard core.beginStoring(bytes, at: now) else { return finish(.overloaded) }
        state = .storing
        deadline = now + core.times.ack
        requestNumber &+= 1
        connections.send(records) { [acknowledgements, id, requestNumber, now] failure in
            acknowledgements.answered(failure?.code, bytes, sentAt: now, on: id, requestNumber)
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
            core.received(stored)
            finish(.stored)
        }
        resume()
    }

    // MARK: Answering

    /// Answers a request that has been read to its end.
    func finish(_ answer: Answer) {
        answered(answer, withBody: true)
        if state == .storing { core.endStoring() }
        if persistence == .close { linger() } else { becomeIdle() }
    }

    /// Answers in the middle of a request, the last one of this connection.
    func end(with answer: Answer) {
        dropDelivery()
        persistence = .close
        answered(answer, withBody: true)
        linger()
    }

    /// Of a body that finds no room: answers at once, gives its bytes back and reads the rest over, so that its sender
    /// comes to read the answer. Other faults end the connection.
    func refuseRest(with answer: Answer) {
        guard answer == .overloaded else { return end(with: answer) }
        dropDelivery()
        answered(answer, withBody: true)
        if state == .closed { return }
        state = .discarding
        droppedBytes = 0
        discardLimit = core.configuration.maxBodyBytes
    }

    private func answered(_ answer: Answer, withBody: Bool) {
        core.answered(answer, after: now - (began ?? now))
        began = nil
        write(answer.bytes(persistence, withBody: withBody))
    }

    private func write(_ bytes: UnsafeRawBufferPointer) {
        guard let context else { return }
        var rest = bytes
        if let socket, queuedWrites == 0 { rest = UnsafeRawBufferPointer(rebasing: bytes.dropFirst(socket.write(bytes))) }
        if !rest.isEmpty { queue(ByteBuffer(bytes: rest), context) }
    }

    /// Written by NIO, when it can. What comes meanwhile queues up behind it.
    private func queue(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        guard socket != nil else { return context.writeAndFlush(wrapOutboundOut(bytes), promise: nil) }
        queuedWrites += 1
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { _ in self.queuedWrites -= 1 }
        context.writeAndFlush(wrapOutboundOut(bytes), promise: written)
    }

    // An answer may find the connection broken, and close it on its way.

    func becomeIdle() {
        if state == .closed { return }
        state = .idle
        deadline = now + (isTrusted ? core.times.idle : core.times.anonymousIdle)
        if input.isEmpty, connections.isDraining || inputIsClosed { linger() }
    }

    func linger() {
        if state == .closed { return }
        state = .lingering
        deadline = now + core.times.linger
        droppedBytes = 0
        dropInput()
        // Closes our side once everything written is sent.
        context?.close(mode: .output, promise: nil)
        if inputIsClosed { abort() }
    }

    /// Tells a connection that is too many so, whether or not it says anything, and is rid of it soon: many of them keep
    /// others from being accepted.
    func turnAway() {
        now = core.clock()
        persistence = .close
        state = .lingering
        deadline = now + core.times.turnAway
        core.metrics.answered(.tooManyConnections, after: .zero)
        // Over TLS the answer waits for the handshake, and so does the end of our side.
        let written = context?.eventLoop.makePromise(of: Void.self)
        written?.futureResult.assumeIsolated().whenSuccess { self.context?.close(mode: .output, promise: nil) }
        let bytes = ByteBuffer(bytes: Answer.tooManyConnections.bytes(.close, withBody: true))
        context?.writeAndFlush(wrapOutboundOut(bytes), promise: written)
    }

    func dropDelivery() {
        if var delivery = self.delivery.take() { delivery.release(core) }
    }
}
