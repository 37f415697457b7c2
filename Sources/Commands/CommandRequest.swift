import EventLog
import WhatsApp

/// What a caller asks for: the body of `POST /v1/commands` (deploy/contracts/commands.openapi.yaml), read strictly.
///
///     {"channel":"main","to":"15550001111","purpose":"utility","message":{"type":"text","text":{"body":"Hi"}},
///      "fallback"?:{"type":"template",…},"route"?,"bulk"?,"expires_in"?,"window_ends_at"?,"opaque"?,
///      "idempotency_key"?}
///
/// A member that is not known is refused: a misspelt `expires_in` must not silently become the default.
public struct CommandRequest: Sendable {
    public enum Recipient: Sendable, Hashable {
        /// In digits.
        case phone(String)
        case group(String)
        case userID(String)
    }

    /// Name of the channel, as in the channels file.
    public var channel: String
    public var recipient: Recipient
    public var purpose: OutboundCommand.Purpose
    public var message: JSON
    public var fallback: JSON?
    public var route: OutboundCommand.Route
    /// To the topic of campaigns; marketing goes there unless told otherwise.
    public var isBulk: Bool
    public var lifetime: Duration
    public var windowEndsAt: Timestamp?
    public var opaque: String?
    public var idempotencyKey: String?

    /// Longest idempotency key, in characters.
    public static let maxKeyLength = 255

    /// Deeper nesting than any message has; it is wrapped once more in the record.
    private static let maxDepth = 64

    public init(_ body: [UInt8]) throws(MessageFault) {
        guard let json = try? JSON(parsing: body, maxDepth: Self.maxDepth), json.kind == .object else {
            throw MessageFault("body", "must be one JSON object")
        }
        try Self.checkNames(json)
        let fields = Fields(json: json)
        channel = try fields.text("channel", 1...64)
        recipient = try fields.recipient()
        purpose = try fields.required("purpose", fields.word("purpose"))
        message = try fields.required("message", fields.object("message"))
        fallback = try fields.object("fallback")
        route = try fields.word("route") ?? .messages
        isBulk = try fields.flag("bulk") ?? (purpose == .marketing)
        lifetime = try fields.lifetime() ?? OutboundCommand.defaultLifetime
        windowEndsAt = try fields.integer("window_ends_at", 0...Int64.max / 2).map { Timestamp(milliseconds: $0) }
        opaque = try fields.textIfPresent("opaque", 1...512)
        idempotencyKey = try fields.textIfPresent("idempotency_key", 1...Self.maxKeyLength)
    }

    private static let known: Set<String> = [
        "channel", "to", "group", "recipient", "purpose", "message", "fallback", "route", "bulk", "expires_in",
        "window_ends_at", "opaque", "idempotency_key",
    ]

    private static func checkNames(_ json: JSON) throws(MessageFault) {
        var seen: Set<String> = []
        var fault: MessageFault?
        json.forEachMember { name, _ in
            if !known.contains(name) { fault = MessageFault("body", "has a member that is not known") }
            if !seen.insert(name).inserted { fault = MessageFault(name, "must be there once") }
        }
        if let fault { throw fault }
    }
}

extension CommandRequest {
    /// The command it makes. Times begin at `now`.
    func command(channel: ChannelIdentity, id: String, at now: Timestamp) -> OutboundCommand {
        let user: String
        let to: OutboundCommand.Recipient
        switch recipient {
        case .phone(let digits): (user, to) = (digits, .to(digits))
        case .group(let id): (user, to) = ("group:\(id)", .to(id))
        case .userID(let id): (user, to) = (id, .userID(id))
        }
        return OutboundCommand(
            channel: channel, id: id, purpose: purpose, recipient: to,
            conversationKey: ConversationKey.make(business: channel.business, user: user), message: message,
            fallback: fallback, route: route, expiresAt: now + lifetime, windowEndsAt: windowEndsAt, opaque: opaque,
            requestedAt: now, correlationID: id)
    }
}

/// The members of a request; a fault names the member and the rule.
private struct Fields {
    let json: JSON

    private func value(_ name: String) -> JSON? { json[name].flatMap { $0.isNull ? nil : $0 } }

    func required<Value>(_ name: String, _ value: Value?) throws(MessageFault) -> Value {
        guard let value else { throw MessageFault(name, "is required") }
        return value
    }

    func textIfPresent(_ name: String, _ length: ClosedRange<Int>) throws(MessageFault) -> String? {
        guard let value = value(name) else { return nil }
        guard let text = value.string, length.contains(text.unicodeScalars.count) else {
            throw MessageFault(name, "must be text of \(length.lowerBound) to \(length.upperBound) characters")
        }
        return text
    }

    func text(_ name: String, _ length: ClosedRange<Int>) throws(MessageFault) -> String {
        try required(name, textIfPresent(name, length))
    }

    func word<Word: RawRepresentable & CaseIterable>(_ name: String) throws(MessageFault) -> Word?
    where Word.RawValue == String {
        guard let value = value(name) else { return nil }
        guard let word = value.string.flatMap(Word.init(rawValue:)) else {
            throw MessageFault(name, "must be one of \(Word.allCases.map(\.rawValue).joined(separator: ", "))")
        }
        return word
    }

    func object(_ name: String) throws(MessageFault) -> JSON? {
        guard let value = value(name) else { return nil }
        guard value.kind == .object else { throw MessageFault(name, "must be an object") }
        return value
    }

    func flag(_ name: String) throws(MessageFault) -> Bool? {
        guard let value = value(name) else { return nil }
        guard let flag = value.bool else { throw MessageFault(name, "must be true or false") }
        return flag
    }

    func integer(_ name: String, _ range: ClosedRange<Int64>) throws(MessageFault) -> Int64? {
        guard let value = value(name) else { return nil }
        guard let integer = value.integer, range.contains(integer) else {
            throw MessageFault(name, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
        }
        return integer
    }

    func lifetime() throws(MessageFault) -> Duration? {
        try integer("expires_in", 1...OutboundCommand.maxLifetime.components.seconds).map { .seconds($0) }
    }

    func recipient() throws(MessageFault) -> CommandRequest.Recipient {
        let given = ["to", "group", "recipient"].filter { value($0) != nil }
        guard given.count == 1 else { throw MessageFault("to", "needs exactly one of to, group and recipient") }
        switch given[0] {
        case "to":
            // Written in any usual way; the platform takes digits.
            let number = ConversationKey.user(try text("to", 1...64)) ?? ""
            guard (5...20).contains(number.utf8.count), number.utf8.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) else {
                throw MessageFault("to", "must be a phone number with country code")
            }
            return .phone(number)
        case "group": return .group(try text("group", 1...256))
        default: return .userID(try text("recipient", 1...256))
        }
    }
}
