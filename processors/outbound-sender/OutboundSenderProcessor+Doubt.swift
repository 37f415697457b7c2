import EventLog
import Processing
import SendLimits
import WhatsApp

/// Commands that may have been accepted, and nobody knows.
///
/// The answer was lost, or the owner died after it had marked the attempt. Nothing is sent again blindly: each status of
/// the message carries the command's tag, so one that comes says "accepted" and gives the message id. Statuses are looked
/// for in three places: the side input brings those that come from now on; the archive has those that a former owner
/// consumed; and before anything is decided from silence, and again right before the request, the archive is asked up to
/// the end of the log.
///
/// | | with a tag (cloud) | without (on-premise) |
/// |---|---|---|
/// | a status comes | accepted | – |
/// | none in `unknownWait`, while later messages of the number got theirs | `resend`, unless the channel says otherwise | – |
/// | policy `dead-letter` | after that wait | at once: nothing will ever tell |
/// | policy `resend` | after that wait | after that wait by the clock |
/// | the command expires meanwhile | result `unknown` | result `unknown` |
extension OutboundSenderProcessor {
    static let unknownClass = "unknown"

    /// What is known by now of a command whose effect was begun. Nil: it may be sent. Throws while it waits, and when
    /// the policy gives it up.
    func clearDoubt(_ handling: Handling) async throws -> Evidence? {
        let state = handling.open.state
        if let evidence = state.evidence { return evidence }
        guard case .open = state.doubt else { return nil }
        let channel = channels[handling.command.channel]
        let policy = channel?.unknown ?? .usual(of: handling.command.channel.hosting)
        if !state.isSearched {
            if let evidence = try await search(handling) { return evidence }
            handling.open.searched()
        }
        if let wait = patience(handling, state, policy) { throw wait }
        if let evidence = try await search(handling) { return evidence }
        guard policy == .resend, handling.command.expiresAt > handling.context.now else {
            throw HandlerFailure.permanent(
                Self.unknownClass, "nobody knows whether it was accepted", disposition: .unknown)
        }
        handling.open.settle()
        return nil
    }

    /// The answer to a request was lost.
    func doubt(_ handling: Handling, _ policy: UnknownPolicy, _ message: String) throws -> HandlerFailure {
        patience(handling, handling.open.state, policy, message)
            ?? .permanent(Self.unknownClass, message, disposition: .unknown)
    }

    /// The wait that is due; nil when it is over.
    private func patience(
        _ handling: Handling, _ state: OpenCommands.State, _ policy: UnknownPolicy,
        _ message: String = "waits for a status that tells whether it was accepted"
    ) -> HandlerFailure? {
        guard case .open(let since, let flowAtStart) = state.doubt, handling.command.expiresAt > handling.context.now,
            handling.isTraceable || policy == .resend
        else { return nil }
        var left = unknownWait - (handling.context.now - since)
        if handling.isTraceable {
            let reading = flow.reading(handling.number)
            left = max(left, unknownWait - flow.patience - (reading.sum - flowAtStart))
            // What was covered must lie behind the attempt.
            left = max(left, unknownWait - flow.patience - ((reading.last ?? since) - since))
        }
        if left <= .zero { return nil }
        // A status wakes it earlier. While none of the number comes, somebody must look now and then.
        let pause = min(max(left, .milliseconds(100)), flow.patience)
        return .waiting(Self.unknownClass, message, retryAfter: untilExpiry(pause, handling), effect: .unknown)
    }

    /// What the log knows up to its end.
    func search(_ handling: Handling) async throws -> Evidence? {
        guard handling.isTraceable else { return nil }
        do {
            return try await archive.evidence(
                of: handling.command.id, in: handling.context.partition, since: handling.record.timestamp)
        } catch let error as LogError {
            throw HandlerFailure.waiting(
                Self.unknownClass, "the statuses cannot be read: \(error.code.name)", retryAfter: .seconds(1))
        }
    }

    /// A status has told: the API had accepted the message.
    func conclude(_ handling: Handling, _ evidence: Evidence) async throws -> [Record] {
        await archive.forget(CollectionOfOne(handling.command.id))
        if evidence.meansWindowClosed, let fallback = handling.command.fallbackCommand(at: handling.context.now) {
            let result = windowClosedLater(result(handling, .rejected), evidence.messageID)
            return [end(handling, result), fallback.record(topic: handling.record.topic)]
        }
        var result = result(handling, .accepted)
        result.messageID = evidence.messageID
        return try await remember(result, handling)
    }

    /// The result of a command that was accepted and then refused because the window is closed.
    func windowClosedLater(_ result: OutboundResult, _ messageID: String) -> OutboundResult {
        var result = result
        result.outcome = .rejected
        result.messageID = messageID
        result.error = OutboundResult.Failure(
            code: 131_047, errorClass: ErrorClass.permanent.rawValue, message: "outside the window; the fallback follows")
        return result
    }
}

extension Handling {
    /// Statuses of its message name it.
    fileprivate var isTraceable: Bool { command.channel.hosting == .cloud && command.tag != nil }
}

extension OutboundCommand {
    /// The fallback as a command of its own. It has an id of its own, because statuses of the refused message go on
    /// carrying the old one. Nil when there is none, or when it would come too late.
    func fallbackCommand(at now: Timestamp) -> OutboundCommand? {
        guard var command = asFallback, expiresAt > now else { return nil }
        command.id = Self.id(
            processor: "outbound-sender", source: channel.business, causeID: id, ordinal: 0)
        command.causationID = id
        command.correlationID = correlationID ?? id
        command.windowEndsAt = nil
        return command
    }
}
