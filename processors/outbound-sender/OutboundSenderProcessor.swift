import D360
import EventLog
import Processing
import WhatsApp

/// Sends commands and publishes how each of them ended.
///
/// | the attempt ends | what happens |
/// |---|---|
/// | accepted | result `accepted`; the command's id is remembered, so that a copy is not sent again |
/// | not taken now, not sent, number held, channel unknown | tried again with backoff; the conversation waits |
/// | never to be taken | result `rejected` and a dead letter |
/// | a known rule of the platform is broken | not even tried: result `rejected` and a dead letter |
/// | the window is closed, as the command knows or the answer says | the fallback goes out under the same id, if any |
/// | marketing to a person who has stopped it | result `rejected` alone: to send it later is no option |
/// | expired before it was sent | result `expired` and a dead letter |
/// | nobody knows, cloud | tried again with the same tag after `unknownWait`, long enough for a status to tell |
/// | nobody knows, on-premise | result `unknown` and a dead letter: without a tag nothing would ever tell |
struct OutboundSenderProcessor: Processor {
    let name = "outbound-sender"
    let inputs: [Topic]
    let work = WorkMode.concurrent(limit: 256)
    let state = StateMode.local
    /// Bounded by age rather than by count: a held number or a 360dialog that is down ends within the hour or not soon.
    let retry = RetryPolicy(base: .seconds(1), cap: .seconds(300), maxAttempts: 24, maxAge: .seconds(3_600))

    private let results: Topic
    private let sender: any CommandSender
    private let channels: ChannelDirectory

    /// How long after an attempt of unknown outcome the next one comes.
    static let unknownWait = Duration.seconds(120)
    /// A held number needs a person; asking more often helps nobody.
    static let holdWait = Duration.seconds(300)
    /// A channel may be in the configuration of another instance, or come with a restart.
    static let unknownChannelWait = Duration.seconds(30)
    /// Attempts at errors that are vague about whose fault they are.
    static let maxVagueAttempts = 3

    init(topics: Topics, sender: any CommandSender, channels: ChannelDirectory) {
        inputs = [topics.outbound, topics.outboundBulk]
        results = topics.outboundResults
        self.sender = sender
        self.channels = channels
    }

    func handle(_ record: StoredRecord, _ context: HandlerContext) async throws -> [Record] {
        let command = try Self.command(record)
        let sent = SentCommands(context.state)
        if let result = try await sent.result(of: command) { return [result.record(topic: results)] }
        guard command.expiresAt > context.now else {
            throw HandlerFailure.permanent("expired", "the command expired before it was sent", disposition: .expired)
        }
        guard let endpoint = channels[command.channel] else {
            throw HandlerFailure.transient(
                "unknown-channel", "no endpoint is configured for the command's channel",
                retryAfter: Self.unknownChannelWait)
        }
        do throws(MessageFault) { try command.check(for: endpoint.hosting) } catch {
            throw HandlerFailure.permanent("invalid", error.description)
        }
        let consent = ConsentBook(context.state)
        if command.purpose == .marketing, try await consent.isStopped(command.conversationKey) {
            return [suppressed(command, context).record(topic: results)]
        }
        let clock = ContinuousClock()
        let start = clock.now
        let (sentAs, outcome) = try await send(command, to: endpoint, at: context.now)
        if case .rejected(let error) = outcome, let change = ConsentChange(error, of: command, at: context.now) {
            try await consent.apply(change)
            return [suppressed(command, context, error).record(topic: results)]
        }
        let receipt = try Self.receipt(outcome, sentAs, endpoint, context)
        var result = OutboundResult(
            of: command, outcome: .accepted, messageID: receipt.messageID, messageStatus: receipt.messageStatus,
            attempts: context.attempt, firstAttemptAt: context.firstFailedAt ?? context.now,
            finishedAt: context.now + (clock.now - start))
        result.usedFallback = command.fallback != nil && sentAs.fallback == nil
        try await sent.remember(result, of: command)
        return [result.record(topic: results)]
    }

    /// Sends the message, or the fallback where the window is known or found to be closed; returns what went out last.
    ///
    /// The platform's answer that the window is closed means that nothing was sent, so the fallback is no second
    /// message.
    private func send(
        _ command: OutboundCommand, to endpoint: ChannelEndpoint, at now: Timestamp
    ) async throws(HandlerFailure) -> (OutboundCommand, SendOutcome) {
        if let end = command.windowEndsAt, end <= now, command.needsOpenWindow {
            guard let fallback = command.asFallback else {
                throw .permanent("window-closed", "the window for a free-form message has closed")
            }
            return (fallback, await sender.send(fallback, to: endpoint))
        }
        let outcome = await sender.send(command, to: endpoint)
        if case .rejected(let error) = outcome, error.meansWindowClosed, let fallback = command.asFallback {
            return (fallback, await sender.send(fallback, to: endpoint))
        }
        return (command, outcome)
    }

    /// The end of a marketing message for a person who wants none.
    private func suppressed(
        _ command: OutboundCommand, _ context: HandlerContext, _ error: ClassifiedError? = nil
    ) -> OutboundResult {
        OutboundResult(
            of: command, outcome: .rejected, attempts: error == nil ? context.attempt - 1 : context.attempt,
            firstAttemptAt: context.firstFailedAt ?? context.now, finishedAt: context.now,
            error: OutboundResult.Failure(
                code: error?.code, errorClass: Self.suppressedClass, httpStatus: error?.httpStatus,
                message: "the recipient has stopped marketing messages"))
    }

    func deadLettered(
        _ record: StoredRecord, _ failure: HandlerFailure, _ context: HandlerContext
    ) async -> [Record] {
        guard let command = try? Self.command(record) else { return [] }
        let outcome: OutboundResult.Outcome =
            switch failure.disposition {
            case .expired: .expired
            case .unknown: .unknown
            case .maxAttempts where failure.errorClass == Self.unknownClass: .unknown
            default: .rejected
            }
        let error =
            (failure.cause as? ClassifiedError).map { OutboundResult.Failure($0) }
            ?? OutboundResult.Failure(errorClass: failure.errorClass, message: failure.message)
        let result = OutboundResult(
            of: command, outcome: outcome, attempts: context.attempt,
            firstAttemptAt: context.firstFailedAt ?? context.now, finishedAt: context.now, error: error)
        return [result.record(topic: results)]
    }

    private static func command(_ record: StoredRecord) throws(HandlerFailure) -> OutboundCommand {
        do throws(MalformedRecord) {
            return try OutboundCommand(record)
        } catch {
            throw .permanent("malformed", error.description, disposition: .deserialization)
        }
    }
}

extension OutboundSenderProcessor {
    static let unknownClass = "unknown"
    /// Of results of commands that consent forbids.
    static let suppressedClass = "suppressed"

    /// The receipt of an accepted message, or the failure that the runtime acts on.
    private static func receipt(
        _ outcome: SendOutcome, _ command: OutboundCommand, _ endpoint: ChannelEndpoint, _ context: HandlerContext
    ) throws(HandlerFailure) -> SendReceipt {
        switch outcome {
        case .accepted(let receipt):
            return receipt
        case .rejected(let error):
            throw .permanent(error.label, error.meaning, cause: error)
        case .retry(let error):
            throw failure(error, attempt: context.attempt)
        case .notSent(let error):
            throw .transient("not-sent", error.description)
        case .unknown(let reason):
            let message = "the outcome is unknown: \(reason.rawValue)"
            // Nothing will tell without a tag; and what expires before its next attempt is at its end now.
            let isTagged = endpoint.hosting == .cloud && command.tag != nil
            guard isTagged, command.expiresAt > context.now + unknownWait else {
                throw .permanent(unknownClass, message, disposition: .unknown)
            }
            throw .transient(unknownClass, message, retryAfter: unknownWait)
        }
    }

    private static func failure(_ error: ClassifiedError, attempt: Int) -> HandlerFailure {
        switch error.errorClass {
        case .retryFew, .inbound:
            if attempt >= maxVagueAttempts { return .permanent(error.label, error.meaning, cause: error) }
            return .transient(error.label, error.meaning, retryAfter: error.retryAfter, cause: error)
        case .retryRecipient:
            let wait = max(pairWait(attempt: attempt), error.retryAfter ?? .zero)
            return .transient(error.label, error.meaning, retryAfter: wait, cause: error)
        case .hold, .setup:
            let wait = max(holdWait, error.retryAfter ?? .zero)
            return .transient(error.label, error.meaning, retryAfter: wait, cause: error)
        case .retry, .permanent, .template, .marketing:
            return .transient(error.label, error.meaning, retryAfter: error.retryAfter, cause: error)
        }
    }

    /// 4^X seconds, X = 0, 1, 2, …: the platform's own rule for its limit per pair of numbers ("About the platform").
    /// Bounded to 4^5 s, about 17 minutes.
    static func pairWait(attempt: Int) -> Duration {
        .seconds(1 << (2 * min(max(attempt - 1, 0), 5)))
    }
}
