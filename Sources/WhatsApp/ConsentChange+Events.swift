import EventLog

extension ConsentChange {
    /// The changes that a record of the `other` topic tells; none for any other field than `user_preferences`.
    ///
    ///     "value":{"user_preferences":[{"wa_id"?,"user_id"?,"parent_user_id"?,"category":"marketing_messages",
    ///                                   "value":"stop" or "resume","timestamp": seconds, as number or text}]}
    ///
    /// A record with an `UnreadReason` tells none: it may speak for another tenant. Items that name nobody, another category or another value are passed over. Without a readable time the event's
    /// own counts.
    public static func changes(in record: StoredRecord) throws(MalformedRecord) -> [ConsentChange] {
        let event = try CloudEvent(record.headers)
        guard let bytes = record.value, let json = try? JSON(parsing: bytes) else { throw MalformedRecord("value") }
        guard json["field"]?.string == "user_preferences", json["reason"] == nil else { return [] }
        guard let channel = json["channel"], let name = channel["name"]?.string else {
            throw MalformedRecord("channel.name")
        }
        let business = channel["phone_number_id"]?.string ?? name
        let time = event.time ?? record.timestamp
        return (json["value"]?["user_preferences"]?.elements ?? []).compactMap { item in
            change(item, business: business, eventTime: time)
        }
    }

    private static func change(_ item: JSON, business: String, eventTime: Timestamp) -> ConsentChange? {
        let category = item["category"]?.string?.lowercased() ?? "marketing_messages"
        guard category == "marketing_messages", let word = item["value"]?.string?.lowercased(),
            let isStopped = ["stop": true, "resume": false][word]
        else { return nil }
        let users = ["wa_id", "user_id", "parent_user_id"].compactMap { item[$0]?.idText.flatMap(ConversationKey.user) }
        if users.isEmpty { return nil }
        return ConsentChange(
            conversationKeys: Set(users.map { ConversationKey.make(business: business, user: $0) }),
            isStopped: isStopped, at: time(item["timestamp"]) ?? eventTime, source: .preference)
    }

    /// Seconds, or milliseconds where the number can be nothing else; they have been met in messages' times.
    private static func time(_ json: JSON?) -> Timestamp? {
        guard let number = json?.idText.flatMap({ Int64($0) }), number > 0 else { return nil }
        return number > 100_000_000_000 ? Timestamp(milliseconds: number) : Timestamp(seconds: number)
    }

    /// The change that a customer's message asks for by one of the words; nil for any other message, and in groups,
    /// where nobody can speak for all.
    public init?(_ message: InboundMessage, words: ConsentWords) {
        guard !message.isGroup, let text = message.text, let isStopped = words.meaning(of: text) else { return nil }
        let users = [message.userKey, message.from, message.fromUserID].compactMap(\.self)
        self.init(
            conversationKeys: Set(users.map { ConversationKey.make(business: message.channel.business, user: $0) }),
            isStopped: isStopped, at: message.timestamp, source: .word)
    }

    /// The change that the platform's refusal of a marketing message tells; nil for another error.
    public init?(_ error: ClassifiedError, of command: OutboundCommand, at time: Timestamp) {
        guard error.meansMarketingStopped else { return nil }
        self.init(conversationKeys: [command.conversationKey], isStopped: true, at: time, source: .answer)
    }
}

/// The words by which a customer stops marketing messages and resumes them.
///
/// A message means it when it is the word and nothing else: "stop" within a sentence may be about anything. Case, blanks
/// and punctuation around it make no difference.
public struct ConsentWords: Sendable, Hashable {
    private let stop: Set<String>
    private let resume: Set<String>

    public init(stop: [String], resume: [String]) {
        self.stop = Set(stop.map(Self.folded)).subtracting([""])
        self.resume = Set(resume.map(Self.folded)).subtracting([""])
    }

    public var isEmpty: Bool { stop.isEmpty && resume.isEmpty }

    /// True for stop, false for resume, nil for any other text. A word in both lists stops.
    public func meaning(of text: String) -> Bool? {
        // Longer than any word that somebody would configure; a text of 64 KiB is not folded for it.
        guard text.utf8.count <= 256 else { return nil }
        let word = Self.folded(text)
        return stop.contains(word) ? true : resume.contains(word) ? false : nil
    }

    private static func folded(_ text: String) -> String {
        let isPart = { (character: Character) in character.isLetter || character.isNumber }
        let start = text.drop { !isPart($0) }
        guard let end = start.lastIndex(where: isPart) else { return "" }
        return start[...end].lowercased().split(whereSeparator: \.isWhitespace).joined(separator: " ")
    }
}
