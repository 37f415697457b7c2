import EventLog
import Processing
import SendLimits
import WhatsApp

/// What the sender learns beside its commands.
///
/// | input | what it tells |
/// |---|---|
/// | `statuses` | that a message of unknown outcome was accepted; that the window was closed after all; that its number is held |
/// | `messages` | what counts against a number's rate; a word that stops marketing messages or resumes them |
/// | `other` | `user_preferences`; throughput upgrades, templates paused and approved |
/// | `consent` | what other partitions, and other names of a person, have told |
///
/// `other` is read once by the group. What concerns one person goes to the consent topic, into the person's partition;
/// what concerns every instance goes to the send-limits topic, which all of them read whole (`receiveBroadcast`). Most
/// statuses and messages tell nothing: so little is read of a record before it is clear that it matters.
extension OutboundSenderProcessor {
    func handleSide(_ record: StoredRecord, _ context: HandlerContext) async throws -> SideAnswer {
        guard let key = record.key.map({ String(decoding: $0, as: UTF8.self) }) else { return SideAnswer() }
        switch record.topic {
        case topics.statuses: return try await statusCame(record, key, context)
        case topics.messages: return try await messageCame(record, key, context)
        case topics.consent: return try await consentCame(record, key, context)
        default: return try eventCame(record)
        }
    }

    // MARK: Statuses

    private func statusCame(
        _ record: StoredRecord, _ key: String, _ context: HandlerContext
    ) async throws -> SideAnswer {
        let number = ConversationKey.business(of: key)
        if open.isAnybodyInDoubt || limiter.awaitsStatus(number: number) { try await noteFlow(record, number, context) }
        let isAwaited = open.isWaiting(key)
        guard isAwaited || record.mentionsFailure, let status = try? MessageStatus(record) else { return SideAnswer() }
        if let refusal = status.refusal { try await heed(refusal, of: status, number, context) }
        guard let tag = status.tag else { return SideAnswer() }
        if isAwaited, open.note(Evidence(status), of: tag.commandID) {
            return SideAnswer(wakes: [Wake(key: record.key ?? [])])
        }
        if status.meansMarketingStopped {
            let change = ConsentChange(
                conversationKeys: [key], isStopped: true, at: status.timestamp, source: .answer)
            return SideAnswer(outputs: try await tell(change, key, record, context))
        }
        return status.meansWindowClosed ? try await fallBack(status, tag, context) : SideAnswer()
    }

    /// A message that we know has got a status: whoever waits for one that was sent earlier should have it by now.
    private func noteFlow(_ record: StoredRecord, _ number: String, _ context: HandlerContext) async throws {
        guard let status = try? MessageStatus(record), let id = status.tag?.commandID,
            let accepted = try await SentCommands(context.state).acceptedAt(id)
        else { return }
        flow.note(number, accepted: accepted)
        if status.status != "failed" { limiter.arrived(number: number, acceptedAt: accepted) }
    }

    /// A refusal of so long ago is found out by trying.
    private static let freshness = Duration.seconds(300)

    /// A number without payment, or too fast, says so in statuses as well: of messages that the API had accepted.
    private func heed(
        _ refusal: ClassifiedError, of status: MessageStatus, _ number: String, _ context: HandlerContext
    ) async throws {
        guard context.now - status.timestamp < Self.freshness else { return }
        var accepted = status.timestamp
        if let id = status.tag?.commandID { accepted = try await SentCommands(context.state).acceptedAt(id) ?? accepted }
        limiter.refusedLater(refusal, number: number, pair: status.conversationKey, acceptedAt: accepted)
    }

    /// The message was accepted, and refused later. Its fallback, if it brings one, becomes a command.
    private func fallBack(
        _ status: MessageStatus, _ tag: CommandTag, _ context: HandlerContext
    ) async throws -> SideAnswer {
        guard let (place, accepted) = try await SentCommands(context.state).fallback(of: tag.commandID, in: context.partition),
            let record = try await archive.record(at: place), let command = try? Self.command(record),
            command.id == tag.commandID, let fallback = command.fallbackCommand(at: context.now)
        else { return SideAnswer() }
        var result = OutboundResult(
            of: command, outcome: .rejected, attempts: accepted.attempts, firstAttemptAt: accepted.firstAttemptAt,
            finishedAt: context.now)
        result.attemptsAtLeast = accepted.isLowerBound
        result = windowClosedLater(result, status.id)
        return SideAnswer(
            outputs: [result.record(topic: topics.outboundResults), fallback.record(topic: place.partition.topic)])
    }

    // MARK: Messages and consent

    /// Texts longer than any word that somebody would configure.
    private static let longMessage = 4_096

    private func messageCame(
        _ record: StoredRecord, _ key: String, _ context: HandlerContext
    ) async throws -> SideAnswer {
        limiter.countInbound(number: ConversationKey.business(of: key))
        guard !words.isEmpty, record.value.map({ $0.count < Self.longMessage }) ?? false,
            let message = try? InboundMessage(record), let change = ConsentChange(message, words: words)
        else { return SideAnswer() }
        return SideAnswer(outputs: try await tell(change, key, record, context))
    }

    /// Takes over a change that was learned in this partition. Answers the records that tell it to the person's other
    /// names, and to readers of the topic.
    func tell(
        _ change: ConsentChange, _ key: String, _ cause: StoredRecord, _ context: HandlerContext
    ) async throws -> [Record] {
        let told = change.consent(for: key)
        var news = try await ConsentBook(context.state).merge(told, of: key)
        news[key] = news[key] ?? told
        return try records(of: news, cause)
    }

    private func consentCame(
        _ record: StoredRecord, _ key: String, _ context: HandlerContext
    ) async throws -> SideAnswer {
        guard let told = record.value.flatMap(Consent.init(decoding:)) else { return SideAnswer() }
        return SideAnswer(outputs: try records(of: try await ConsentBook(context.state).merge(told, of: key), record))
    }

    private func records(of news: [String: Consent], _ cause: StoredRecord) throws -> [Record] {
        try news.sorted { $0.key < $1.key }.map { try $1.record(of: $0, topic: topics.consent, cause: cause) }
    }

    // MARK: Other events

    private func eventCame(_ record: StoredRecord) throws -> SideAnswer {
        if let changes = try? ConsentChange.changes(in: record), !changes.isEmpty {
            var outputs: [Record] = []
            for change in changes {
                let news = change.conversationKeys.map { ($0, change.consent(for: $0)) }
                outputs += try records(of: Dictionary(news) { $1 }, record)
            }
            return SideAnswer(outputs: outputs)
        }
        switch try? SendingEvent(record) {
        case .throughput(let id, let display, let channel, let rate, let at):
            guard let number = id ?? display.flatMap({ channels.number(displayedAs: $0, toldBy: channel) }) else {
                return SideAnswer()
            }
            let ceiling = LearnedLimit.Rate(micro: Int64(rate * 1_000_000), at: at)
            return SideAnswer(outputs: [LearnedLimit(.number(number), ceiling: ceiling).record(topic: topics.sendLimits)])
        case .template(let account, let name, let language, let isUsable, let at):
            let news = TemplateNews(account: account, template: "\(name)/\(language)", isUsable: isUsable, at: at)
            return SideAnswer(outputs: [news.record(topic: topics.sendLimits)])
        case nil: return SideAnswer()
        }
    }
}

extension StoredRecord {
    private static let failure = Array("\"failed\"".utf8)

    /// Whether the word is in the value at all; what it means there is for the reader to find out.
    fileprivate var mentionsFailure: Bool {
        guard let value else { return false }
        return value.withUnsafeBytes { bytes in
            var at = 0
            let end = bytes.count - Self.failure.count
            while at <= end {
                if bytes[at] == UInt8(ascii: "\""), bytes[(at + 1)...].starts(with: Self.failure.dropFirst()) { return true }
                at += 1
            }
            return false
        }
    }
}
