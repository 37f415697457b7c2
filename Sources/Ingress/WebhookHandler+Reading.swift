import NIOCore

extension WebhookHandler {
    func read(context: ChannelHandlerContext) {
        if isBusy, !input.isEmpty { readIsHeld = true } else { context.read() }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let bytes = unwrapInboundIn(data)
        if state == .lingering || state == .closed { return drop(bytes.readableBytes) }
        input.append(bytes)
        parse()
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        isWritable = context.channel.isWritable
        resume()
        context.fireChannelWritabilityChanged()
    }

    /// Whether the next request has to wait: for the answer to this one, or for a peer that does not read its answers.
    var isBusy: Bool {
        state == .storing || (state == .idle && !isWritable)
    }

    /// Goes on with what waited, then with reading.
    func resume() {
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
        if !input.isEmpty { now = core.clock() }
        while !isBusy, !input.isEmpty || state == .receiving || state == .discarding {
            let (event, body) = input.next()
            if case .incomplete = event { break }
            handle(event, body)
        }
        input.release()
        noticePartialHead()
    }

    private func noticePartialHead() {
        guard state == .idle, !isBusy, !input.isEmpty, !headIsPartial else { return }
        headIsPartial = true
        deadline = min(deadline, now + core.times.header)
    }

    private func handle(_ event: HTTP1Parser.Event, _ body: ByteBuffer?) {
        switch event {
        case .head(let head) where state == .idle: begin(head)
        case .body where state == .receiving:
            if let body, let refusal = delivery!.append(body, core) { refuseRest(with: refusal) }
        case .end where state == .receiving: store()
        case .body(let range) where state == .discarding: drop(range.count)
        case .end where state == .discarding: if persistence == .close { linger() } else { becomeIdle() }
        case .malformed(let answer) where state == .idle || state == .receiving: end(with: answer)
        case .malformed where state == .discarding: linger()
        case .incomplete, .head, .body, .end, .malformed:
            preconditionFailure("the parser gives head, body and end in order, and nothing is handled while storing")
        }
    }

    private func drop(_ bytes: Int) {
        droppedBytes += bytes
        switch state {
        case .discarding where droppedBytes > discardLimit: linger()
        case .lingering where droppedBytes > Self.maxLingeringBytes: abort()
        default: break
        }
    }
}
