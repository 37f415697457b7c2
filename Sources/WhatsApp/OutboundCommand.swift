import EventLog

/// A wish to send one message: the value of the `outbound` and `outbound-bulk` topics.
///
///     {"channel":{"name","hosting","waba_id"?,"phone_number_id"?},
///      "command":{"id","purpose","to" or "recipient","message":{"type",…},"fallback"?:{"type":"template",…},
///                 "route"?,"expires_at","window_ends_at"?,"opaque"?}}
///
/// Marking a customer's message as read is a command, too: its `message` is `{"status":"read","message_id",
/// "typing_indicator"?}`, and the recipient is the customer, so that it keeps its place in the conversation.
///
/// The record's key is the conversation, `ce_id` the command's id; times are milliseconds since 1970.
public struct OutboundCommand: Sendable {
    public enum Purpose: String, Sendable, Hashable, CaseIterable {
        case reply, utility, authentication, marketing
    }

    public enum Recipient: Sendable, Hashable {
        /// A phone number or a group id: the API's `to`.
        case to(String)
        /// A business-scoped user id: the API's `recipient`.
        case userID(String)
    }

    /// The endpoint a message goes to.
    public enum Route: String, Sendable, Hashable, CaseIterable {
        case messages
        /// The Marketing Messages API of the Cloud, for marketing templates only. A fallback, or a command of a number
        /// that is not enabled for it, goes to `messages`.
        case marketingMessages = "marketing_messages"
    }

    /// Whose number sends.
    public var channel: ChannelIdentity
    /// The same for every copy of the command; see `id(processor:source:causeID:ordinal:)`.
    public var id: String
    public var purpose: Purpose
    public var recipient: Recipient
    /// Key of the record: commands of one conversation are sent in order.
    public var conversationKey: String
    /// The message as the API takes it, a JSON object with `type` and the member named by it; without `to`,
    /// `recipient`, `messaging_product` and `biz_opaque_callback_data`, which the sender adds. Sent verbatim.
    public var message: JSON
    /// A template message to send instead when the window for free-form messages is closed.
    public var fallback: JSON?
    public var route: Route
    /// Not sent any more from then on.
    public var expiresAt: Timestamp
    /// End of the 24 h window as far as the command's maker knows.
    public var windowEndsAt: Timestamp?
    /// The caller's own note; comes back in the pipeline's events, is not sent.
    public var opaque: String?
    /// `ce_time`.
    public var requestedAt: Timestamp
    /// Id of the event that began the chain of causes.
    public var correlationID: String?
    /// Id of the event that caused the command.
    public var causationID: String?
    /// W3C trace context.
    public var traceparent: String?

    public init(
        channel: ChannelIdentity, id: String, purpose: Purpose, recipient: Recipient, conversationKey: String,
        message: JSON, fallback: JSON? = nil, route: Route = .messages, expiresAt: Timestamp,
        windowEndsAt: Timestamp? = nil, opaque: String? = nil, requestedAt: Timestamp, correlationID: String? = nil,
        causationID: String? = nil, traceparent: String? = nil
    ) {
        self.channel = channel
        self.id = id
        self.purpose = purpose
        self.recipient = recipient
        self.conversationKey = conversationKey
        self.message = message
        self.fallback = fallback
        self.route = route
        self.expiresAt = expiresAt
        self.windowEndsAt = windowEndsAt
        self.opaque = opaque
        self.requestedAt = requestedAt
        self.correlationID = correlationID
        self.causationID = causationID
        self.traceparent = traceparent
    }

    /// The id of a processor's command: handling the same event again gives the same command.
    ///
    /// - Parameters:
    ///   - source: `ce_source` of the event that caused it.
    ///   - causeID: `ce_id` of that event.
    ///   - ordinal: Which of the commands the event caused, from 0.
    public static func id(processor: String, source: String, causeID: String, ordinal: Int) -> String {
        var hash = IdentityHash("command")
        hash.add(processor)
        hash.add(source)
        hash.add(causeID)
        hash.add(Int64(ordinal))
        return hash.hex()
    }

    /// The id of a caller's command: the caller's key names it, and calling again gives the same command.
    ///
    /// - Parameters:
    ///   - principal: Who calls; keys of two principals never meet.
    ///   - channel: Name of the channel it is to be sent from.
    ///   - key: The caller's idempotency key.
    public static func id(principal: String, channel: String, key: String) -> String {
        var hash = IdentityHash("command-of-caller")
        hash.add(principal)
        hash.add(channel)
        hash.add(key)
        return hash.hex()
    }

    /// Lifetime of a caller's command that names none.
    public static let defaultLifetime = Duration.seconds(24 * 3_600)
    /// A command must end while its record is still held, with a day to spare for retries and results.
    public static let maxLifetime = Duration.seconds((Topics.outboundRetentionDays - 1) * 86_400)

    /// Members of the API's body that the sender writes itself; a message that brings one is refused, because which of
    /// two the API would heed is anybody's guess.
    static let reservedMembers: Set<String> = ["messaging_product", "to", "recipient", "biz_opaque_callback_data"]
}
