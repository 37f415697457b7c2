import EventLog
import Processing
import WhatsApp

/// Answers customers' messages by rules: one command per message at most, with an id that follows from the message, so
/// that handling it again asks for the same reply and not for a second one.
struct AutoResponderProcessor: Processor {
    /// Why a message gets no reply.
    enum Silence: String, Error, Sendable, Hashable, CaseIterable {
        /// Written by the business itself.
        case ownMessage
        /// A type that is never answered.
        case silentType
        case group
        /// The window for a free answer has closed.
        case tooOld
        case noRule
        /// The rule says so.
        case silentRule
        /// A copy of a message handled before, or a second welcome.
        case duplicate
        case capped
    }

    /// Free-form messages are allowed for 24 hours after the user's last message (Meta: customer service window).
    static let window = Duration.seconds(86_400)
    /// Copies arrive up to 7 days late, but those older than the window are refused by their age.
    static let duplicates = Deduplication(window: .seconds(72 * 3_600))
    private static let welcomes = Deduplication(window: .seconds(365 * 86_400))

    let name = "auto-responder"
    let inputs: [Topic]
    let state = StateMode.rebuiltFromInputs
    private let output: Topic
    private let rules: ReplyRules
    private let cap: ReplyCap

    init(topics: Topics, rules: ReplyRules) {
        inputs = [topics.messages]
        output = topics.outbound
        self.rules = rules
        cap = ReplyCap(caps: rules.caps)
    }

    func handle(_ record: StoredRecord, _ context: HandlerContext) async throws -> [Record] {
        let message = try InboundMessage(record)
        let event = try CloudEvent(record.headers)
        switch try await decide(message, context) {
        case .success(let reply):
            return [try command(reply, to: message, event, context).record(topic: output)]
        case .failure(let silence):
            context.logger.debug("message not answered", metadata: ["responder.reason": "\(silence.rawValue)"])
            return []
        }
    }

    /// The reply, or the reason for none. What costs nothing is asked first; what changes state comes last.
    func decide(_ message: InboundMessage, _ context: HandlerContext) async throws -> Result<ReplyTemplate, Silence> {
        if let silence = silence(message, context.now) { return .failure(silence) }
        guard let rule = rules.rule(for: message) else { return .failure(.noRule) }
        guard let reply = rule.reply else { return .failure(.silentRule) }
        let identity = "\(message.source)/\(message.eventID)"
        guard try await Self.duplicates.isFirst(identity, at: context.now, in: context.state) else {
            return .failure(.duplicate)
        }
        if message.type == "request_welcome" {
            let welcome = "welcome/\(message.conversationKey)"
            guard try await Self.welcomes.isFirst(welcome, at: context.now, in: context.state) else {
                return .failure(.duplicate)
            }
        }
        guard try await cap.take(message.conversationKey, context.state, now: context.now) else {
            return .failure(.capped)
        }
        return .success(reply)
    }

    private func silence(_ message: InboundMessage, _ now: Timestamp) -> Silence? {
        if Condition.silentTypes.contains(message.type) { return .silentType }
        if message.isGroup && !rules.answersGroups { return .group }
        if now - message.timestamp >= Self.window { return .tooOld }
        if let own = message.channel.displayPhoneNumber.flatMap(ConversationKey.user),
            let sender = message.from.flatMap(ConversationKey.user), sender == own
        {
            return .ownMessage
        }
        return nil
    }

    private func command(
        _ reply: ReplyTemplate, to message: InboundMessage, _ event: CloudEvent, _ context: HandlerContext
    ) throws -> OutboundCommand {
        // A clock that runs ahead on the other side must not stretch the window.
        let windowEnd = min(message.timestamp, context.now) + Self.window
        return OutboundCommand(
            channel: message.channel,
            id: OutboundCommand.id(processor: name, source: message.source, causeID: message.eventID, ordinal: 0),
            purpose: .reply, recipient: Self.recipient(message.userKey), conversationKey: message.conversationKey,
            message: try reply.message(name: message.contactName, quoting: message.id), expiresAt: windowEnd,
            windowEndsAt: windowEnd, requestedAt: context.now, correlationID: event.correlationID ?? event.id,
            causationID: event.id, traceparent: event.traceparent)
    }

    /// User keys are `group:<id>`, a phone number in digits, or a business-scoped id.
    private static func recipient(_ userKey: String) -> OutboundCommand.Recipient {
        let group = "group:"
        if userKey.hasPrefix(group) { return .to(String(userKey.dropFirst(group.count))) }
        return userKey.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
            ? .to(userKey) : .userID(userKey)
    }
}
