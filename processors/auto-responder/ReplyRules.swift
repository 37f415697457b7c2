import EventLog
import WhatsApp

/// What the responder answers: rules from top to bottom, the first that matches decides. Read from YAML, see
/// `ReplyRules+YAML.swift` and the comments of `rules.yaml`.
struct ReplyRules: Sendable {
    var rules: [Rule]
    /// All must have room for a reply to go out.
    var caps: [Cap] = Cap.standard
    /// Whether messages in groups are answered.
    var answersGroups = false

    struct Rule: Sendable {
        var name: String
        var when: Condition
        /// Nil keeps silent on purpose.
        var reply: ReplyTemplate?
    }

    /// At most `replies` to one conversation within any stretch of `per`.
    struct Cap: Sendable, Hashable {
        var replies: Int
        var per: Duration

        /// Ten a minute is also the pace at which the platform takes messages from one number to one user.
        static let standard = [Cap(replies: 10, per: .seconds(60)), Cap(replies: 200, per: .seconds(86_400))]
    }

    /// The first rule for the message.
    func rule(for message: InboundMessage) -> Rule? {
        let subject = Condition.Subject(message)
        return rules.first { $0.when.matches(subject) }
    }
}

/// When a rule applies: every part that is given must hold.
struct Condition: Sendable {
    /// Any of these words or phrases stands in the text.
    var keywords: [FoldedText]?
    /// The whole text is one of these.
    var exact: [FoldedText]?
    var pattern: TextPattern?
    var types: Set<String>?
    /// Ids of buttons and list rows, payloads of template buttons.
    var ids: Set<String>?

    /// The message types people write themselves. Without `types` a rule speaks of these only: an unknown type is
    /// answered by a rule that names it, never by chance.
    static let ordinaryTypes: Set<String> = [
        "text", "image", "video", "audio", "voice", "document", "sticker", "location", "contacts", "button",
        "interactive", "order",
    ]
    /// Never answered, whatever the rules say: they are no words to the business: reactions,
    /// notices, deletions, edits, and messages that could not be shown in full.
    static let silentTypes: Set<String> = [
        "reaction", "system", "unsupported", "unknown", "revoke", "edit", "ephemeral",
    ]

    /// A message prepared for many comparisons.
    struct Subject {
        let type: String
        let text: String?
        let folded: FoldedText?
        let id: String?

        init(_ message: InboundMessage) {
            type = message.type
            text = message.text
            folded = message.text.map { FoldedText($0) }
            id = message.buttonID
        }
    }

    func matches(_ subject: Subject) -> Bool {
        guard (types ?? Self.ordinaryTypes).contains(subject.type) else { return false }
        if let ids, !(subject.id.map { ids.contains($0) } ?? false) { return false }
        if let exact, !(subject.folded.map { exact.contains($0) } ?? false) { return false }
        if let keywords, !(subject.folded.map { text in keywords.contains { text.contains(words: $0) } } ?? false) {
            return false
        }
        if let pattern, !(subject.text.map { pattern.matches($0) } ?? false) { return false }
        return true
    }

    /// Whether it holds for every ordinary message, so that no rule after it is ever reached.
    var isDefault: Bool { keywords == nil && exact == nil && pattern == nil && types == nil && ids == nil }
}
