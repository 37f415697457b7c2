/// The HTTP call that carries a command out: what is said below the channel's base URL and key.
public struct APICall: Sendable, Hashable {
    public let method: String
    public let path: String
    public let body: [UInt8]
}

/// What the send API is called with.
extension OutboundCommand {
    /// | command | cloud | on-premise |
    /// |---|---|---|
    /// | a message | `POST /messages` | `POST /v1/messages` |
    /// | a marketing template with `route: marketing_messages` | `POST /marketing_messages` | `POST /v1/messages` |
    /// | a message was read, perhaps with a typing indicator | `POST /messages` | `PUT /v1/messages/{id}` |
    ///
    /// - Parameter marketingMessages: Whether the number is enabled for the Marketing Messages API.
    public func call(for hosting: Hosting, marketingMessages: Bool = true) -> APICall {
        switch (hosting, isMark) {
        case (.cloud, true): APICall(method: "POST", path: "/messages", body: cloudMark)
        case (.cloud, false):
            APICall(
                method: "POST",
                path: marketingMessages && goesToMarketingMessages ? "/marketing_messages" : "/messages",
                body: body(for: .cloud))
        case (.onPremise, true):
            APICall(method: "PUT", path: markPath, body: JSONWriter.object { $0.member("status", "read") })
        case (.onPremise, false): APICall(method: "POST", path: "/v1/messages", body: body(for: .onPremise))
        }
    }

    /// The `type` of the message; a mark has none.
    public var messageType: String? { message["type"]?.string }

    /// True for a command that marks a customer's message as read. It makes no message, no status tells of it, and
    /// doing it twice is harmless.
    public var isMark: Bool { Self.isMark(message) }

    static func isMark(_ message: JSON) -> Bool { message["type"] == nil && message["status"]?.string == "read" }

    /// The tag that comes back in the statuses of the message (Cloud API only); nil for a mark, and in the rare case
    /// that id and conversation are too long for it.
    public var tag: CommandTag? { isMark ? nil : CommandTag(commandID: id, conversationKey: conversationKey) }

    /// Whether the platform takes it outside of the 24 h window after the customer's last message: templates may go at
    /// any time, a mark is no message.
    public var needsOpenWindow: Bool { !isMark && messageType != "template" }

    /// The same command with the template instead of the message; nil when it brings none.
    public var asFallback: OutboundCommand? {
        guard let fallback else { return nil }
        var command = self
        command.message = fallback
        command.fallback = nil
        return command
    }

    private var goesToMarketingMessages: Bool {
        route == .marketingMessages && purpose == .marketing && messageType == "template"
    }

    /// The body of the call that sends the message. On-premise knows neither `messaging_product` nor
    /// `biz_opaque_callback_data`.
    private func body(for hosting: Hosting) -> [UInt8] {
        let head = JSONWriter.object(capacity: message.bytes.count + 256) { body in
            if hosting == .cloud { body.member("messaging_product", "whatsapp") }
            if message["recipient_type"] == nil { body.member("recipient_type", isToGroup ? "group" : "individual") }
            switch recipient {
            case .to(let to): body.member("to", to)
            case .userID(let id): body.member("recipient", id)
            }
            if hosting == .cloud, let tag { body.member("biz_opaque_callback_data", tag.encoded) }
        }
        return Self.joined(head, message)
    }

    private var cloudMark: [UInt8] {
        Self.joined(JSONWriter.object { $0.member("messaging_product", "whatsapp") }, message)
    }

    private var markPath: String { "/v1/messages/" + CloudEvent.pathSegment(message["message_id"]?.string ?? "") }

    /// Both are objects with at least one member: the second goes, verbatim, behind the first one's members.
    private static func joined(_ head: [UInt8], _ message: JSON) -> [UInt8] {
        head.dropLast() + [UInt8(ascii: ",")] + message.bytes.dropFirst()
    }

    /// Conversation keys are `<business>:<user>`, and a group's user part begins with `group:`.
    private var isToGroup: Bool {
        conversationKey.utf8.drop { $0 != UInt8(ascii: ":") }.starts(with: ":group:".utf8)
    }
}
