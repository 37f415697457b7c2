import EventLog

/// What is known of one sent message: the fold of its command, the sender's result and every status.
///
/// The fold is a set union: events in any order, twice or in two halves that are merged later give the same state, so
/// readers may merge as well. A status never goes backwards (Meta's status reference: sent, delivered and read arrive in any order,
/// `delivered` may be missing, and `failed` does not undo what another device has received).
public struct MessageState: Sendable, Hashable {
    /// The ladder a message climbs. Words that are not on it are kept in the timeline and rank nothing.
    public enum Stage: String, Sendable, CaseIterable, Comparable {
        case requested, accepted, sent, delivered, read, played

        public static func < (a: Stage, b: Stage) -> Bool { a.rank < b.rank }
        private var rank: Int { Self.allCases.firstIndex(of: self)! }
    }

    /// One thing that happened. `at` is WhatsApp's time for statuses and ours for the rest.
    public struct Entry: Sendable, Hashable {
        public var word: String
        public var at: Timestamp
        /// In a group: whose device said so.
        public var participant: String?
        /// Error code or class of a failure.
        public var errorCode: String?

        public init(word: String, at: Timestamp, participant: String? = nil, errorCode: String? = nil) {
            self.word = word
            self.at = at
            self.participant = participant
            self.errorCode = errorCode
        }

        public var isFailure: Bool { Self.failures.contains(word) }
        private static let failures: Set<String> = ["failed", "rejected", "expired"]

        /// Copies of the same event share it.
        fileprivate var identity: [String] { [word, participant ?? "", errorCode ?? ""] }
        fileprivate var place: (Int64, Int, String, String) {
            (at.milliseconds, Stage(rawValue: word).flatMap(Stage.allCases.firstIndex) ?? 99, word, participant ?? "")
        }
    }

    public var messageID: String?
    public var commandID: String?
    /// The conversation key, as on the topics.
    public var conversation: String?
    public var purpose: String?
    /// By time, then by rank. An event that came twice stands once, with its earliest time.
    public private(set) var timeline: [Entry] = []

    public init(messageID: String? = nil, commandID: String? = nil, conversation: String? = nil, purpose: String? = nil) {
        self.messageID = messageID
        self.commandID = commandID
        self.conversation = conversation
        self.purpose = purpose
    }

    /// The highest stage reached.
    public var stage: Stage? { timeline.compactMap { Stage(rawValue: $0.word) }.max() }

    /// The first failure, if one was reported.
    public var failure: Entry? { timeline.first(where: \.isFailure) }

    /// One word for all: `failed` only as long as nobody has received the message.
    public var summary: String {
        if failure != nil, (stage ?? .requested) < .delivered { return "failed" }
        return stage?.rawValue ?? timeline.last?.word ?? "unknown"
    }

    public mutating func add(_ entry: Entry) {
        if let index = timeline.firstIndex(where: { $0.identity == entry.identity }) {
            timeline[index].at = min(timeline[index].at, entry.at)
        } else {
            timeline.append(entry)
        }
        timeline.sort { $0.place < $1.place }
    }

    /// Takes over what the other knows.
    public mutating func merge(_ other: MessageState) {
        messageID = messageID ?? other.messageID
        commandID = commandID ?? other.commandID
        conversation = conversation ?? other.conversation
        purpose = purpose ?? other.purpose
        for entry in other.timeline { add(entry) }
    }
}

extension MessageState {
    public func encoded() -> [UInt8] {
        JSONWriter.object { json in
            json.memberIfPresent("message_id", messageID)
            json.memberIfPresent("command_id", commandID)
            json.memberIfPresent("conversation", conversation)
            json.memberIfPresent("purpose", purpose)
            json.member("state", summary)
            json.array("timeline") { json in
                for entry in timeline {
                    json.objectElement { json in
                        json.member("state", entry.word)
                        json.member("at", entry.at.milliseconds)
                        json.memberIfPresent("participant", entry.participant)
                        json.memberIfPresent("error", entry.errorCode)
                    }
                }
            }
        }
    }

    /// Nil when the bytes are not a message state.
    public init?(decoding bytes: [UInt8]) {
        guard let json = try? JSON(parsing: bytes), let timeline = json["timeline"] else { return nil }
        self.init(
            messageID: json["message_id"]?.string, commandID: json["command_id"]?.string,
            conversation: json["conversation"]?.string, purpose: json["purpose"]?.string)
        for entry in timeline.elements {
            guard let word = entry["state"]?.string, let at = entry["at"]?.integer else { return nil }
            add(
                Entry(
                    word: word, at: Timestamp(milliseconds: at), participant: entry["participant"]?.string,
                    errorCode: entry["error"]?.string))
        }
    }
}
