import D360
import EventLog
import Processing
import SendLimits
import WhatsApp

/// What becomes of a command that was not accepted this time.
extension OutboundSenderProcessor {
    func outageScope(of record: StoredRecord) -> String? {
        if record.topic == topics.outboundBulk, bulk.isPaused { return BulkSwitch.scope }
        return record.key.map { String(decoding: $0.prefix { $0 != UInt8(ascii: ":") }, as: UTF8.self) }
    }

    func deadline(of record: StoredRecord) -> Timestamp? { (try? OutboundCommand(record))?.expiresAt }

    /// The receipt of an accepted message, or the failure that the runtime acts on.
    func receipt(_ outcome: SendOutcome, _ handling: Handling, _ channel: SendingChannel) throws -> SendReceipt {
        switch outcome {
        case .accepted(let receipt): return receipt
        case .rejected(let error): throw HandlerFailure.permanent(error.label, error.meaning, cause: error)
        case .retry(let error): throw failure(error, handling)
        case .notSent(let error): throw failure(error, handling)
        case .unknown(let reason):
            if handling.command.isMark { throw passing(handling, "unanswered", "no answer: \(reason.rawValue)") }
            throw try doubt(handling, channel.unknown, "the outcome is unknown: \(reason.rawValue)")
        }
    }

    /// The limiter does not let it go.
    func failure(_ refusal: SendRefusal, _ handling: Handling) -> HandlerFailure {
        let label = refusal.reason.rawValue
        switch refusal.reason {
        case .rate, .full:
            // Those who were sent away together must not come back together.
            let pause = refusal.retryAfter + .milliseconds(Int64.random(in: 0...4_000))
            return limited(handling, label, "waits for the limit: \(label)", retryAfter: pause)
        case .pair, .cancelled:
            return limited(handling, label, "waits for the limit: \(label)", retryAfter: refusal.retryAfter)
        case .held: return down(handling, label, "the number is held")
        case .templatePaused:
            if refusal.retryAfter > Self.patience { return .permanent(label, "the template is paused or missing") }
            return passing(handling, label, "the template is being tried", retryAfter: refusal.retryAfter)
        }
    }

    private func failure(_ error: ClassifiedError, _ handling: Handling) -> HandlerFailure {
        if error.meansLimit {
            return limited(handling, error.label, error.meaning, retryAfter: error.retryAfter ?? .seconds(1), cause: error)
        }
        switch error.errorClass {
        case .hold: return down(handling, error.label, error.meaning, cause: error)
        case .retry where error.mayMeanDown && isDown(handling, saysDown: error.saysDown):
            return down(handling, error.label, error.meaning, retryAfter: error.retryAfter, cause: error)
        case .retryFew, .inbound, .setup:
            return passing(
                handling, error.label, error.meaning, retryAfter: error.retryAfter, maxAttempts: Self.maxVagueAttempts,
                cause: error)
        default:
            return passing(handling, error.label, error.meaning, retryAfter: error.retryAfter, cause: error)
        }
    }

    private func isDown(_ handling: Handling, saysDown: Bool) -> Bool {
        let verdict = health.failed(
            handling.number, handling.command.conversationKey, saysDown: saysDown, seen: handling.open.state.seenHealth,
            at: handling.now)
        handling.open.saw(verdict.seen)
        return verdict.isDown
    }

    private func failure(_ error: TransportError, _ handling: Handling) -> HandlerFailure {
        switch error.code {
        case .resolve, .connect, .tls, .timeout, .cut, .transfer:
            isDown(handling, saysDown: true)
                ? down(handling, "not-sent", error.description) : passing(handling, "not-sent", error.description)
        case .invalidRequest: .permanent("not-sent", error.description)
        // Our own bound, or we are being stopped.
        default: limited(handling, "not-sent", error.description, retryAfter: .seconds(1))
        }
    }

    // MARK: Kinds of waiting

    /// For a limit: as long as it takes. Its conversation stays behind it.
    private func limited(
        _ handling: Handling, _ label: String, _ message: String, retryAfter: Duration, cause: (any Error)? = nil
    ) -> HandlerFailure {
        .waiting(
            label, message, retryAfter: untilExpiry(retryAfter, handling), effect: certainty(handling), cause: cause)
    }

    /// With all other commands of its number.
    private func down(
        _ handling: Handling, _ label: String, _ message: String, retryAfter: Duration? = nil, cause: (any Error)? = nil
    ) -> HandlerFailure {
        .outage(
            label, message, scope: .named(handling.number), retryAfter: retryAfter, effect: certainty(handling),
            cause: cause)
    }

    /// With all other campaigns. One of them finds out when they may go on, within a minute.
    func paused(_ handling: Handling) -> HandlerFailure {
        .outage(
            "bulk-paused", "campaigns are paused", scope: .named(BulkSwitch.scope), effect: certainty(handling))
    }

    /// For any other reason: for `patience` at most, which the runtime counts, also across owners.
    func passing(
        _ handling: Handling, _ label: String, _ message: String, retryAfter: Duration? = nil, maxAttempts: Int? = nil,
        cause: (any Error)? = nil
    ) -> HandlerFailure {
        var schedule = retry
        if let maxAttempts { schedule.maxAttempts = maxAttempts }
        return .transient(
            label, message, retryAfter: retryAfter, schedule: schedule, effect: certainty(handling), cause: cause)
    }

    /// An answer says that this attempt did nothing. Of an earlier one, sent again without knowing, nobody does.
    private func certainty(_ handling: Handling) -> EffectOutcome {
        handling.open.state.doubt == .none ? .none : .unknown
    }

    /// What expires is to be told so in time.
    func untilExpiry(_ wait: Duration, _ handling: Handling) -> Duration {
        max(min(wait, handling.command.expiresAt - handling.context.now), .milliseconds(10))
    }
}

extension ClassifiedError {
    /// Other messages of the number may meet it, too.
    fileprivate var mayMeanDown: Bool { speaksOfMore || code == nil && (httpStatus ?? 0) >= 500 }

    /// The answer speaks of the API, or of the number: a gateway without a server behind it, an overload, a restart. A
    /// plain 500 does not say what it is about.
    fileprivate var saysDown: Bool { speaksOfMore || code == nil && [502, 503, 504, 555].contains(httpStatus) }

    private var speaksOfMore: Bool {
        switch scope {
        case .number, .account, .app: true
        case .message, .recipient, .template: false
        }
    }
}
