import D360
import EventLog
import Processing
import SendLimits
import WhatsApp

/// From the limiter's turn to the API's answer.
extension OutboundSenderProcessor {
    /// Sends the message, or the fallback where the window is known or found to be closed; returns which went out last.
    ///
    /// The platform's answer that the window is closed means that nothing was sent, so the fallback is no second message.
    func send(
        _ handling: Handling, _ channel: SendingChannel
    ) async throws -> (isFallback: Bool, outcome: SendOutcome) {
        if let end = handling.command.windowEndsAt, end <= handling.context.now, handling.command.needsOpenWindow {
            guard let fallback = handling.command.asFallback else {
                throw HandlerFailure.permanent("window-closed", "the window for a free-form message has closed")
            }
            return (true, try await request(fallback, handling, channel))
        }
        let outcome = try await request(handling.command, handling, channel)
        if case .rejected(let error) = outcome, error.meansWindowClosed, let fallback = handling.command.asFallback {
            return (true, try await request(fallback, handling, channel))
        }
        return (false, outcome)
    }

    /// One request, in its turn. A mark of a read message is no message: no limit counts it, and doing it twice is
    /// harmless.
    private func request(
        _ command: OutboundCommand, _ handling: Handling, _ channel: SendingChannel
    ) async throws -> SendOutcome {
        if command.isMark { return await sender.send(command, to: channel.endpoint) }
        let permit = try await permit(command, handling)
        try await handling.context.beginEffect()
        // A slow commit let many go at once.
        do throws(SendRefusal) { try await limiter.awaitDeparture(number: handling.number) } catch {
            throw failure(error, handling)
        }
        // The log may have been away for long.
        guard command.expiresAt > handling.now else { throw Self.expired }
        if handling.open.state.mustCountResend {
            // Turn and mark took time. After this the request goes out at once.
            if let evidence = try await search(handling) { throw LateEvidence(evidence: evidence) }
            metrics.resent(command.conversationKey)
        }
        handling.open.begins(at: handling.now)
        let outcome = await sender.send(command, to: channel.endpoint)
        permit.report(outcome.report)
        if case .unknown = outcome {
            handling.open.lost(at: handling.now, flow: flow.reading(handling.number).sum)
        } else {
            handling.open.answered()
            if outcome.isAnAnswer { health.answered(handling.number) }
        }
        return outcome
    }

    private func permit(_ command: OutboundCommand, _ handling: Handling) async throws -> SendPermit {
        let admission = SendAdmission(
            number: handling.number, pair: command.conversationKey, template: command.templateName,
            kind: handling.record.topic == topics.outboundBulk ? .bulk : .reply)
        do throws(SendRefusal) {
            return try await limiter.admit(admission)
        } catch {
            throw failure(error, handling)
        }
    }
}

/// A status told while the command was on its way to be sent again.
struct LateEvidence: Error {
    let evidence: Evidence
}

extension OutboundCommand {
    /// Name and language, as they stand in events about templates, too.
    var templateName: String? {
        guard messageType == "template", let template = message["template"], let name = template["name"]?.string else {
            return nil
        }
        return "\(name)/\(template["language"]?["code"]?.string ?? "")"
    }
}

extension SendOutcome {
    /// The API works: it has taken the message, or refused it for what it is.
    fileprivate var isAnAnswer: Bool {
        switch self {
        case .accepted, .rejected: true
        case .retry, .notSent, .unknown: false
        }
    }

    /// As far as limits are concerned.
    fileprivate var report: SendReport {
        switch self {
        case .accepted(let receipt): receipt.messageStatus == "paused" ? .acceptedAndPaused : .accepted
        case .rejected(let error), .retry(let error): .failed(error)
        case .notSent, .unknown: .noAnswer
        }
    }
}
