import EventLog

/// What became of a message we sent, read from a record of the statuses topic.
public struct MessageStatus: Sendable, Hashable {
    /// Identity of the event: (`source`, `eventID`); the same for every copy of one status.
    public var eventID: String
    public var source: String
    /// The number that sent the message.
    public var channel: ChannelIdentity
    /// Id of the message, as the platform answered when it was sent.
    public var id: String
    /// `sent`, `delivered`, `read`, `played`, `failed`, `deleted`, `warning`, …: the platform's word, also one not
    /// known yet.
    public var status: String
    /// True for the state of a payment (`type: payment`), whose words are not states of delivery.
    public var isPayment: Bool
    /// By the platform's clock, or the time of arrival where that is all we know.
    public var timestamp: Timestamp
    public var timestampIsArrival: Bool
    /// Ours, when the message was sent by the pipeline over the Cloud API.
    public var tag: CommandTag?
    /// Codes of the errors of a failure, in order.
    public var errorCodes: [Int64]
    /// Phone number in digits, or the group's id; may be missing for a recipient with a username.
    public var recipient: String?
    public var recipientUserID: String?
    public var isGroup: Bool
    /// In a group: whom this status concerns.
    public var participant: String?
    public var conversationKey: String
    /// `marketing`, `utility`, …, where the status says what the message is billed as.
    public var pricingCategory: String?
    /// `regular`, `free_customer_service`, `free_entry_point`.
    public var pricingType: String?

    /// Throws when the record is not one that the ingress wrote.
    public init(_ record: StoredRecord) throws(MalformedRecord) {
        let inbound = try InboundRecord(record, member: "status")
        let item = inbound.item
        guard let id = item["id"]?.string, !id.isEmpty else { throw MalformedRecord("status.id") }
        guard let status = item["status"]?.string else { throw MalformedRecord("status.status") }
        self.id = id
        self.status = status
        eventID = inbound.event.id
        source = inbound.event.source
        channel = inbound.channel
        isPayment = item["type"]?.string == "payment"
        timestamp = inbound.event.time ?? record.timestamp
        timestampIsArrival = inbound.event.timeIsArrival || inbound.event.time == nil
        tag = item["biz_opaque_callback_data"]?.string.flatMap(CommandTag.init(parsing:))
        errorCodes = item["errors"]?.elements.compactMap { $0["code"]?.idText.flatMap { Int64($0) } } ?? []
        isGroup = item["recipient_type"]?.string == "group"
        recipient = isGroup ? inbound.text("recipient_id") : inbound.text("recipient_id").flatMap(ConversationKey.user)
        recipientUserID = inbound.text("recipient_user_id") ?? inbound.text("recipient_parent_user_id")
        participant = Self.participantNames.lazy.compactMap { inbound.text($0) }.first
        conversationKey = inbound.conversationKey
        pricingCategory = item["pricing"]?["category"]?.string
        pricingType = item["pricing"]?["type"]?.string
    }

    /// In the order in which the first one counts; the second is another spelling of the first.
    private static let participantNames = [
        "recipient_participant_id", "participant_recipient_id", "recipient_participant_user_id",
        "recipient_participant_parent_user_id",
    ]
}
