/// The API's word that it took a command: `{"messages":[{"id","message_status"?}],…}` for a message. It means accepted,
/// not sent.
public struct SendReceipt: Sendable, Hashable {
    /// Nil for a mark, which makes no message.
    public let messageID: String?
    /// Templates only: `accepted`, `held_for_quality_assessment` (do not send again) or `paused` (stop
    /// sending the template).
    public let messageStatus: String?

    /// The receipt of a message; nil for a body without a message id.
    public init?(_ body: [UInt8]) {
        guard let message = (try? JSON(parsing: body))?["messages"]?.elements.first,
            let id = message["id"]?.string, !id.isEmpty
        else { return nil }
        self.init(messageID: id, messageStatus: message["message_status"]?.string)
    }

    /// The receipt of what a command asked for. A mark is answered `{"success":true}` by the cloud, and `{}`, `null` or
    /// nothing on-premise; a body that says otherwise is no receipt.
    public init?(_ body: [UInt8], of command: OutboundCommand) {
        guard command.isMark else {
            self.init(body)
            return
        }
        let json = try? JSON(parsing: body)
        let isRefused = json?["success"]?.bool == false || json?["error"] != nil || json?["errors"] != nil
        guard !isRefused, json != nil || body.isEmpty else { return nil }
        self.init(messageID: nil, messageStatus: nil)
    }

    private init(messageID: String?, messageStatus: String?) {
        self.messageID = messageID
        self.messageStatus = messageStatus
    }
}
