import EventLog
import WhatsApp

/// What has been seen of each customer's message so far, and the line that tells its story when it is over.
///
/// Pure: it is fed what is read, with the time it was read, and answers lines. Bounded: the oldest story is told
/// early when there are too many.
struct FlowBook {
    /// One customer's message and what became of it.
    private struct Story {
        var who: String
        var wrote: String?
        var seen: Timestamp
        var answer: String?
        var steps: [(word: String, at: Timestamp)] = []
        var last: Timestamp
        var commandID: String?
        var sentID: String?
    }

    private let maxStories: Int
    private let patience: Duration
    private var stories: [String: Story] = [:]
    private var order: [String] = []
    private var messageOfCommand: [String: String] = [:]
    private var messageOfSent: [String: String] = [:]

    /// - patience: a story without news for so long is told as it stands.
    init(maxStories: Int = 10_000, patience: Duration = .seconds(5)) {
        self.maxStories = maxStories
        self.patience = patience
    }

    mutating func customerWrote(_ message: InboundMessage, at now: Timestamp) -> [String] {
        let lines = open(message.eventID, who: message.userKey, at: now)
        stories[message.eventID]?.wrote = message.type
        return lines
    }

    mutating func answered(_ command: OutboundCommand, causedBy cause: String?, at now: Timestamp) -> [String] {
        guard let cause else { return [] }
        // Topics are read side by side: the answer can come into sight before the message.
        let lines = open(cause, who: command.conversationKey, at: now)
        messageOfCommand[command.id] = cause
        stories[cause]?.commandID = command.id
        stories[cause]?.answer = Self.summary(of: command)
        note("answered", on: cause, at: now)
        return lines
    }

    mutating func sent(_ result: OutboundResult, at now: Timestamp) -> [String] {
        guard let cause = messageOfCommand[result.commandID], stories[cause] != nil else { return [] }
        if let id = result.messageID {
            messageOfSent[id] = cause
            stories[cause]?.sentID = id
        }
        note(result.outcome.rawValue, on: cause, at: now)
        return result.outcome == .accepted ? [] : tell(cause)
    }

    mutating func statusCame(_ status: MessageStatus, at now: Timestamp) -> [String] {
        guard let cause = status.tag.flatMap({ messageOfCommand[$0.commandID] }) ?? messageOfSent[status.id],
            let story = stories[cause], !story.steps.contains(where: { $0.word == status.status })
        else { return [] }
        note(status.status, on: cause, at: now)
        return ["read", "failed"].contains(status.status) ? tell(cause) : []
    }

    /// Stories without news for longer than `patience`.
    mutating func tellOverdue(at now: Timestamp) -> [String] {
        var lines: [String] = []
        for id in order where stories[id].map({ now - $0.last > patience }) ?? true { lines += tell(id) }
        order.removeAll { stories[$0] == nil }
        return lines
    }

    private mutating func open(_ id: String, who: String, at now: Timestamp) -> [String] {
        guard stories[id] == nil else { return [] }
        stories[id] = Story(who: Self.masked(who), seen: now, last: now)
        order.append(id)
        return order.count > maxStories ? tell(order.removeFirst()) : []
    }

    private mutating func note(_ word: String, on id: String, at now: Timestamp) {
        stories[id]?.steps.append((word, now))
        stories[id]?.last = now
    }

    private mutating func tell(_ id: String) -> [String] {
        guard let story = stories.removeValue(forKey: id) else { return [] }
        if let command = story.commandID { messageOfCommand[command] = nil }
        if let sent = story.sentID { messageOfSent[sent] = nil }
        let wrote = story.wrote ?? "something"
        guard let answer = story.answer else { return ["  \(story.who) wrote \(wrote) · no reply"] }
        let steps = story.steps.map { "\($0.word) \(Self.span($0.at - story.seen))" }.joined(separator: " · ")
        return ["  \(story.who) wrote \(wrote) → “\(answer)” · \(steps)"]
    }

    /// The last three digits; a person's number is nobody else's business.
    static func masked(_ number: String) -> String { "···" + number.suffix(3) }

    /// The business's own words, shortened to a line.
    private static func summary(of command: OutboundCommand) -> String {
        let message = command.message
        let text = message["text"]?["body"]?.string ?? message["interactive"]?["body"]?["text"]?.string
        let line = (text ?? message["type"]?.string ?? "message").replacing("\n", with: " ")
        return line.count > 40 ? line.prefix(39) + "…" : line
    }

    private static func span(_ duration: Duration) -> String {
        let milliseconds = duration.milliseconds
        return milliseconds < 1_000 ? "\(milliseconds) ms" : "\(milliseconds / 1_000).\(milliseconds % 1_000 / 100) s"
    }
}
