/// What we send along with each message as `biz_opaque_callback_data` and get back in every status of it:
/// `mr1:<command id>:<conversation key>`.
///
/// It ties a status to its command even when the answer to the sending call was lost, and lets the status be keyed by
/// the conversation of its command. Only the Cloud API has the field.
public struct CommandTag: Sendable, Hashable {
    /// The platform takes 512 characters; counted in bytes here, which is never more lenient.
    public static let maxBytes = 512

    public let commandID: String
    public let conversationKey: String

    private static let prefix = "mr1:"

    /// Nil when the tag would be too long or could not be read back (empty parts, a colon in the command id): then the
    /// message has to go without.
    public init?(commandID: String, conversationKey: String) {
        guard !commandID.isEmpty, !conversationKey.isEmpty, !commandID.utf8.contains(UInt8(ascii: ":")) else {
            return nil
        }
        let length = Self.prefix.utf8.count + commandID.utf8.count + 1 + conversationKey.utf8.count
        guard length <= Self.maxBytes else { return nil }
        self.commandID = commandID
        self.conversationKey = conversationKey
    }

    /// Nil for text that is not a tag of ours, e.g. what another tool of the business sent along.
    public init?(parsing text: String) {
        guard text.utf8.starts(with: Self.prefix.utf8) else { return nil }
        let rest = text.utf8.dropFirst(Self.prefix.utf8.count)
        guard let colon = rest.firstIndex(of: UInt8(ascii: ":")) else { return nil }
        guard let id = String(rest[..<colon]), let key = String(rest[rest.index(after: colon)...]) else { return nil }
        self.init(commandID: id, conversationKey: key)
    }

    public var encoded: String { "\(Self.prefix)\(commandID):\(conversationKey)" }
}
