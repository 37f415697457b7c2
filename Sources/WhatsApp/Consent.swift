import EventLog

/// What a person wants of marketing messages, as far as one business number has been told.
///
/// Merging is a choice of the latest word, so events may come in any order and any number of times: the later one
/// counts, and of two of the same moment the stop. A stop has no end but a later resume.
public struct Consent: Sendable, Hashable {
    /// Where we know it from.
    public enum Source: String, Sendable, Hashable, CaseIterable {
        /// A `user_preferences` event: the person used WhatsApp's own switch.
        case preference
        /// The person wrote one of the configured words.
        case word
        /// The platform answered 131050 to a marketing message.
        case answer
    }

    public var isStopped: Bool
    public var at: Timestamp
    public var source: Source
    /// The other conversation keys of the same person with this number: a phone number's and a business-scoped id's.
    public var aliases: Set<String>

    /// More names than a person can have; a bound for hostile input.
    static let maxAliases = 8

    public init(isStopped: Bool, at: Timestamp, source: Source, aliases: Set<String> = []) {
        self.isStopped = isStopped
        self.at = at
        self.source = source
        self.aliases = Set(aliases.sorted().prefix(Self.maxAliases))
    }

    /// Takes over what the other knows.
    public mutating func merge(_ other: Consent) {
        if (other.at, other.isStopped ? 1 : 0, other.source.rawValue) > (at, isStopped ? 1 : 0, source.rawValue) {
            (isStopped, at, source) = (other.isStopped, other.at, other.source)
        }
        aliases = Set(aliases.union(other.aliases).sorted().prefix(Self.maxAliases))
    }

    public func encoded() -> [UInt8] {
        JSONWriter.object { json in
            json.member("stopped", isStopped)
            json.member("at", at.milliseconds)
            json.member("source", source.rawValue)
            json.array("aliases") { json in
                for alias in aliases.sorted() { json.element(alias) }
            }
        }
    }

    /// Nil when the bytes are not a consent.
    public init?(decoding bytes: [UInt8]) {
        guard let json = try? JSON(parsing: bytes), let isStopped = json["stopped"]?.bool,
            let at = json["at"]?.integer, let source = json["source"]?.string.flatMap(Source.init(rawValue:))
        else { return nil }
        self.init(
            isStopped: isStopped, at: Timestamp(milliseconds: at), source: source,
            aliases: Set(json["aliases"]?.elements.compactMap(\.string) ?? []))
    }
}

/// One event that tells a person's will.
public struct ConsentChange: Sendable, Hashable {
    /// Conversation keys the person is known by in this event, at least one.
    public let conversationKeys: Set<String>
    public let isStopped: Bool
    public let at: Timestamp
    public let source: Consent.Source

    public init(conversationKeys: Set<String>, isStopped: Bool, at: Timestamp, source: Consent.Source) {
        self.conversationKeys = conversationKeys
        self.isStopped = isStopped
        self.at = at
        self.source = source
    }

    /// What to merge into the consent kept under one of the keys.
    public func consent(for key: String) -> Consent {
        Consent(isStopped: isStopped, at: at, source: source, aliases: conversationKeys.subtracting([key]))
    }
}
