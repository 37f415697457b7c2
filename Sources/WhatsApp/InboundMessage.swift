import EventLog

/// A message of a customer, read from a record of the messages topic. Only what stages decide by; the record's value
/// has the rest.
public struct InboundMessage: Sendable, Hashable {
    /// Identity of the event: (`source`, `eventID`).
    public var eventID: String
    public var source: String
    /// The number it was written to.
    public var channel: ChannelIdentity
    /// The platform's message id.
    public var id: String
    /// `text`, `image`, `interactive`, …: the platform's word, also one not known yet. Without one: `unknown`.
    public var type: String
    /// By the platform's clock, or the time of arrival where that is all we know.
    public var timestamp: Timestamp
    public var timestampIsArrival: Bool
    /// Phone number of the sender in digits. Nil for a sender who shows only a username.
    public var from: String?
    /// Business-scoped id of the sender, if told.
    public var fromUserID: String?
    /// The user part of the conversation key: a phone number, a business-scoped id, or `group:<id>`.
    public var userKey: String
    public var conversationKey: String
    /// What the customer wrote or tapped: body of a text, text of a template button, title of a button or list row.
    public var text: String?
    /// What we named the tapped thing: payload of a template button, id of a button or list row.
    public var buttonID: String?
    public var isGroup: Bool
    /// The message of ours that this one answers.
    public var quotedMessageID: String?
    /// As the customer calls itself; hostile text is legal.
    public var contactName: String?

    /// Throws when the record is not one that the ingress wrote.
    public init(_ record: StoredRecord) throws(MalformedRecord) {
        let inbound = try InboundRecord(record, member: "message")
        let message = inbound.item
        guard let id = message["id"]?.string, !id.isEmpty else { throw MalformedRecord("message.id") }
        self.id = id
        eventID = inbound.event.id
        source = inbound.event.source
        channel = inbound.channel
        type = message["type"]?.string ?? "unknown"
        timestamp = inbound.event.time ?? record.timestamp
        timestampIsArrival = inbound.event.timeIsArrival || inbound.event.time == nil
        // A business-scoped id has been seen in `from`.
        let sender = inbound.text("from").flatMap(ConversationKey.user)
        let hasNumber = sender?.utf8.allSatisfy { $0 &- UInt8(ascii: "0") < 10 } ?? false
        from = hasNumber ? sender : nil
        fromUserID = inbound.text("from_user_id") ?? (hasNumber ? nil : sender)
        conversationKey = inbound.conversationKey
        userKey = ConversationKey.user(of: conversationKey, business: channel.business)
        isGroup = inbound.text("group_id") != nil
        quotedMessageID = message["context"]?["id"]?.string
        contactName = inbound.contact?["profile"]?["name"]?.string
        (text, buttonID) = Self.content(message)
    }

    private static func content(_ message: JSON) -> (text: String?, buttonID: String?) {
        if let button = message["button"] { return (button["text"]?.string, button["payload"]?.string) }
        if let interactive = message["interactive"] {
            let reply = interactive["button_reply"] ?? interactive["list_reply"]
            return (reply?["title"]?.string, reply?["id"]?.string)
        }
        return (message["text"]?["body"]?.string, nil)
    }
}
