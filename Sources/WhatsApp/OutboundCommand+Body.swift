/// What the send API is called with and answers.
extension OutboundCommand {
    /// The `type` of the message; a command that was read has one.
    public var messageType: String? { message["type"]?.string }

    /// The tag that comes back in the statuses of the message (Cloud API only); nil in the rare case that id and
    /// conversation are too long for it.
    public var tag: CommandTag? { CommandTag(commandID: id, conversationKey: conversationKey) }

    /// The body of the call that sends the message. On-premise knows neither `messaging_product` nor
    /// `biz_opaque_callback_data`.
    public func body(for hosting: Hosting) -> [UInt8] {
        let head = JSONWriter.object(capacity: message.bytes.count + 256) { body in
            if hosting == .cloud { body.member("messaging_product", "whatsapp") }
            if message["recipient_type"] == nil { body.member("recipient_type", isToGroup ? "group" : "individual") }
            switch recipient {
            case .to(let to): body.member("to", to)
            case .userID(let id): body.member("recipient", id)
            }
            if hosting == .cloud, let tag { body.member("biz_opaque_callback_data", tag.encoded) }
        }
        // Both are objects with at least one member: the second goes, verbatim, behind the first one's members.
        return head.dropLast() + [UInt8(ascii: ",")] + message.bytes.dropFirst()
    }

    /// Conversation keys are `<business>:<user>`, and a group's user part begins with `group:`.
    private var isToGroup: Bool {
        guard let colon = conversationKey.firstIndex(of: ":") else { return false }
        return conversationKey[colon...].hasPrefix(":group:")
    }
}

/// The API's word that it took a message: `{"messages":[{"id","message_status"?}],…}`. It means accepted, not sent.
public struct SendReceipt: Sendable, Hashable {
    public let messageID: String
    /// Templates only: `accepted`, `held_for_quality_assessment` (do not send again) or `paused`.
    public let messageStatus: String?

    /// Nil for a body without a message id.
    public init?(_ body: [UInt8]) {
        guard let message = (try? JSON(parsing: body))?["messages"]?.elements.first,
            let id = message["id"]?.string, !id.isEmpty
        else { return nil }
        messageID = id
        messageStatus = message["message_status"]?.string
    }
}
