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
        state == .storing || (state == .idle && !isWritable) || isYielding
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
        var handled = 0
        while !isBusy, !input.isEmpty || state == .receiving || state == .discarding {
            let (event, body) = input.next()
            if case .incomplete = event { break }
            handle(event, body)
            if case .end = event { handled += 1 }
            if handled == Self.maxRequestsPerTurn, !input.isEmpty {
                isYielding = true
                connections.yield(self)
            }
        }
        input.release()
        noticePartialHead()
        if inputReserved > 0 || (state == .idle && !input.isEmpty) { countInput() }
    }

    /// Keeps what waits between requests, which is anybody's, in the budget. Behind a request in work it is one read at
    /// most.
    private func countInput() {
        let held = state == .idle ? input.heldBytes : 0
        if held > inputReserved {
            guard core.budget.reserve(held - inputReserved, isProven: false) else { return end(with: .overloaded) }
        } else {
            core.budget.release(inputReserved - held, isProven: false)
        }
        inputReserved = held
    }

    func dropInput() {
        input.drop()
        if inputReserved > 0 { core.budget.release(inputReserved, isProven: false) }
        inputReserved = 0
    }

    /// The others had their turn.
    func goOn() {
        isYielding = false
        resume()
    }

    private func noticePartialHead() {
        guard state == .idle, !isBusy, !input.isEmpty, !headIsPartial else { return }
        headIsPartial = true
        began = now
        deadline = min(deadline, now + core.times.header)
    }

    private func handle(_ event: HTTP1Parser.Event, _ body: ByteBuffer?) {
        switch event {
        case .head where state == .idle: begin(input.takeHead())
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
