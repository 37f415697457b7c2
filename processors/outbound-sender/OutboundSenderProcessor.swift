import D360
import EventLog
import Processing
import SendLimits
import WhatsApp

/// Sends commands and publishes how each of them ended.
///
/// | the attempt ends | what happens |
/// |---|---|
/// | accepted | result `accepted`; the command's id is remembered, so that a copy is not sent again |
/// | too fast for the number or the pair, says the platform or our own limiter | waits, its conversation behind it |
/// | number held, or the API is down (`NumberHealth`) | waits with the other commands of the number; one at a time tries |
/// | not taken for another passing reason | tried again with backoff for `patience`, then result `rejected` |
/// | never to be taken | result `rejected` and a dead letter |
/// | it cannot be read | result `rejected` that names the member, and a dead letter |
/// | a known rule of the platform is broken | not even tried: result `rejected` and a dead letter |
/// | the window is closed, as the command knows or the answer says | the fallback goes out under the same id, if any |
/// | accepted, and a status says later that the window was closed | the fallback becomes a command of its own |
/// | marketing to a person who has stopped it | result `rejected` alone: to send it later is no option |
/// | a campaign's, and campaigns are paused | waits with the others of the bulk topic, until resumed or expired |
/// | expired before it was sent | result `expired` and a dead letter |
/// | nobody knows | see `OutboundSenderProcessor+Doubt.swift` |
///
/// An attempt is marked on the log before it begins (`beginEffect`), after the limiter has let it go: what waits for its
/// turn is in nobody's doubt when this process dies.
struct OutboundSenderProcessor: Processor {
    let name = "outbound-sender"
    let inputs: [Topic]
    let sideInputs: [Topic]
    /// Of each partition, input and number. All of them on an instance with twelve partitions may wait at one number of 20
    /// messages a second, and each has its turn before the limiter sends it away.
    let work = WorkMode.concurrent(limit: 32)
    /// Who wants no marketing is kept for ever, on whatever machine. What was sent is remembered on the disk alone; when that
    /// is lost, or another's, results on the log tell (`DiskMemory`).
    let state = StateMode.surviving(.beginning(with: [ConsentBook.prefix, DiskMemory.prefix]))
    let effects = EffectMode.marked
    /// A commit writes to two files and waits for the disk three times: more than a send costs.
    let commitGap = Duration.milliseconds(10)
    let retry = RetryPolicy(base: .seconds(1), cap: .seconds(20), maxAttempts: 24, maxAge: patience)

    /// A command that fails for its own passing reasons leaves its line after that time.
    static let patience = Duration.seconds(60)
    /// Attempts at errors that are vague about whose fault they are.
    static let maxVagueAttempts = 3

    let topics: Topics
    let sender: any CommandSender
    let channels: ChannelDirectory
    let limiter: SendLimiter
    let archive: any CommandArchive
    /// By which customers stop marketing messages, and resume them.
    let words: ConsentWords
    let open = OpenCommands()
    let flow: StatusFlow
    let health = NumberHealth()
    let bulk = BulkSwitch()
    let memory = DiskMemory()
    let metrics: SenderMetrics
    /// Statuses of a number must have been coming in for so long before silence means "not accepted".
    let unknownWait: Duration

    init(
        topics: Topics, sender: any CommandSender, channels: ChannelDirectory, limiter: SendLimiter,
        archive: any CommandArchive, words: ConsentWords = ConsentWords(stop: [], resume: []),
        unknownWait: Duration = .seconds(120), metrics: SenderMetrics = SenderMetrics()
    ) {
        inputs = [topics.outbound, topics.outboundBulk]
        sideInputs = [topics.statuses, topics.messages, topics.other, topics.consent]
        self.topics = topics
        self.sender = sender
        self.channels = channels
        self.limiter = limiter
        self.archive = archive
        self.words = words
        self.unknownWait = unknownWait
        self.metrics = metrics
        flow = StatusFlow(patience: max(unknownWait / 4, .seconds(1)))
        metrics.observe(limiter, open, bulk)
    }

    func partitionsChanged(_ owned: Set<Int32>, of total: Int32) {
        memory.partitionsChanged(owned)
        archive.partitionsChanged(owned)
        let gone = open.partitionsChanged(owned)
        if !gone.isEmpty { Task { await archive.forget(gone) } }
        limiter.setShare(owned: owned.count, of: max(1, Int(total)))
    }

    func handle(_ record: StoredRecord, _ context: HandlerContext) async throws -> [Record] {
        let command = try Self.command(record)
        if let result = try await SentCommands(context.state).result(of: command) {
            open.end(command.id)
            return [result.record(topic: topics.outboundResults)]
        }
        let handling = handling(of: command, record, context)
        if let result = try await sentByOthers(handling) { return try await remember(result, handling) }
        do {
            if context.effect == .unknown, let evidence = try await clearDoubt(handling) {
                return try await conclude(handling, evidence)
            }
            return try await attempt(handling)
        } catch var failure as HandlerFailure {
            // For whoever takes it over.
            failure.begun = handling.open.state.begun
            throw failure
        }
    }

    /// How an earlier owner ended the command, where this disk cannot know it.
    private func sentByOthers(_ handling: Handling) async throws -> OutboundResult? {
        let requestedAt = handling.command.requestedAt
        let isForeign = requestedAt < (try await memory.began(handling.context)) + ResultHistory.skew
        guard isForeign || handling.open.state.isLowerBound else { return nil }
        do {
            let result = try await archive.acceptance(
                of: handling.command.id, in: handling.context.partition,
                since: min(requestedAt, handling.record.timestamp))
            guard let result else { return nil }
            return try SentCommands.agreed(result, with: handling.command)
        } catch let error as LogError {
            throw HandlerFailure.waiting(
                Self.unknownClass, "the results cannot be read: \(error.code.name)", retryAfter: .seconds(1),
                effect: handling.context.effect)
        }
    }

    /// An attempt at a command of which it is known, or decided, that it has not been accepted.
    private func attempt(_ handling: Handling) async throws -> [Record] {
        guard handling.command.expiresAt > handling.context.now else { throw Self.expired }
        if handling.record.topic == topics.outboundBulk, bulk.isPaused { throw paused(handling) }
        guard let channel = channels[handling.command.channel] else {
            throw passing(handling, "unknown-channel", "no endpoint is configured for the command's channel")
        }
        do throws(MessageFault) { try handling.command.check(for: channel.endpoint.hosting) } catch {
            throw HandlerFailure.permanent("invalid", error.description)
        }
        if handling.command.purpose == .marketing, try await isStopped(handling) {
            return [end(handling, suppressed(handling))]
        }
        let (isFallback, outcome): (Bool, SendOutcome)
        do { (isFallback, outcome) = try await send(handling, channel) } catch let late as LateEvidence {
            return try await conclude(handling, late.evidence)
        }
        if case .rejected(let error) = outcome,
            let change = ConsentChange(error, of: handling.command, at: handling.context.now)
        {
            let news = try await tell(change, handling.command.conversationKey, handling.record, handling.context)
            return [end(handling, suppressed(handling, error))] + news
        }
        let receipt = try receipt(outcome, handling, channel)
        var result = result(handling, .accepted)
        result.messageID = receipt.messageID
        result.messageStatus = receipt.messageStatus
        result.usedFallback = isFallback
        return try await remember(result, handling)
    }

    private func isStopped(_ handling: Handling) async throws -> Bool {
        try await ConsentBook(handling.context.state).isStopped(handling.command.conversationKey)
    }

    /// The end of an accepted command.
    func remember(_ result: OutboundResult, _ handling: Handling) async throws -> [Record] {
        let mayFallBack = handling.command.fallback != nil && !result.usedFallback
        let value = result.value
        try await SentCommands(handling.context.state).remember(
            value, of: handling.command,
            fallback: mayFallBack ? RecordPosition(handling.record.source, handling.record.offset) : nil)
        return [end(handling, result, value)]
    }

    func deadLettered(
        _ record: StoredRecord, _ failure: HandlerFailure, _ context: HandlerContext
    ) async -> [Record] {
        guard inputs.contains(record.topic) else { return [] }
        guard let command = try? Self.command(record) else { return unreadable(record, failure, context) }
        let handling = handling(of: command, record, context)
        let outcome: OutboundResult.Outcome =
            switch failure.disposition {
            case .unknown: .unknown
            case _ where handling.open.state.isInDoubt: .unknown
            case .expired: handling.open.state.doubt == .none ? .expired : .unknown
            default: .rejected
            }
        var result = result(handling, outcome)
        result.error =
            (failure.cause as? ClassifiedError).map { OutboundResult.Failure($0) }
            ?? OutboundResult.Failure(errorClass: failure.errorClass, message: failure.message)
        await archive.forget(CollectionOfOne(command.id))
        return [end(handling, result)]
    }

    /// Who asked for it learns what is wrong with it, as far as it says who that is.
    private func unreadable(_ record: StoredRecord, _ failure: HandlerFailure, _ context: HandlerContext) -> [Record] {
        guard var result = OutboundResult(ofUnreadable: record, at: context.now) else { return [] }
        result.error = OutboundResult.Failure(errorClass: failure.errorClass, message: failure.message)
        metrics.ended(result, requestedAt: record.timestamp)
        return [result.record(topic: topics.outboundResults)]
    }

    private func handling(
        of command: OutboundCommand, _ record: StoredRecord, _ context: HandlerContext
    ) -> Handling {
        let number = ConversationKey.business(of: command.conversationKey)
        return Handling(
            command: command, record: record, number: number, context: context,
            open: open.open(
                command.id, command.conversationKey, in: context.partition, begun: context.begun,
                isUnknown: context.effect == .unknown, now: context.now, flow: flow.reading(number).sum))
    }

    static func command(_ record: StoredRecord) throws(HandlerFailure) -> OutboundCommand {
        do throws(MalformedRecord) {
            return try OutboundCommand(record)
        } catch {
            throw .permanent("malformed", error.description, disposition: .deserialization)
        }
    }
}

/// A command under way through its handler. A class, because it is passed on at each step: of a struct with all that a
/// command consists of each would be forty references counted up and down.
final class Handling: Sendable {
    let command: OutboundCommand
    let record: StoredRecord
    /// Whose limits count: the business part of the conversation.
    let number: String
    let context: HandlerContext
    let open: OpenCommand
    private let start = ContinuousClock.now

    init(command: OutboundCommand, record: StoredRecord, number: String, context: HandlerContext, open: OpenCommand) {
        self.command = command
        self.record = record
        self.number = number
        self.context = context
        self.open = open
    }

    /// The runtime's time now: waiting for a turn and for an answer takes some.
    var now: Timestamp { context.now + (ContinuousClock.now - start) }
}

// MARK: Results

extension OutboundSenderProcessor {
    /// Of results of commands that consent forbids.
    static let suppressedClass = "suppressed"

    static var expired: HandlerFailure {
        .permanent("expired", "the command expired before it was sent", disposition: .expired)
    }

    /// How the command ended, as far as all ends have it in common.
    func result(_ handling: Handling, _ outcome: OutboundResult.Outcome) -> OutboundResult {
        let state = handling.open.state
        let now = handling.now
        var result = OutboundResult(
            of: handling.command, outcome: outcome, attempts: state.attempts, firstAttemptAt: state.firstAttemptAt ?? now,
            finishedAt: now)
        result.attemptsAtLeast = state.isLowerBound
        result.resentAfterUnknown = state.resends
        return result
    }

    /// The command is at its end: nothing of it is kept but its result.
    ///
    /// - Parameter value: the result's, where it is known already.
    func end(_ handling: Handling, _ result: OutboundResult, _ value: [UInt8]? = nil) -> Record {
        handling.open.end()
        metrics.ended(result, requestedAt: handling.command.requestedAt)
        return result.record(topic: topics.outboundResults, value: value ?? result.value)
    }

    /// The end of a marketing message for a person who wants none.
    private func suppressed(_ handling: Handling, _ error: ClassifiedError? = nil) -> OutboundResult {
        var result = result(handling, .rejected)
        result.error = OutboundResult.Failure(
            code: error?.code, errorClass: Self.suppressedClass, httpStatus: error?.httpStatus,
            message: "the recipient has stopped marketing messages")
        return result
    }
}
