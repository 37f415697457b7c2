import EventLog
import Processing
import WhatsApp

/// Folds commands, results and statuses into one state per sent message and publishes each change.
///
/// A message is known by its command id first; the result, or a status that carries our tag, tells its message id, and
/// from then on both lead to the same state. A command that never becomes a message (rejected, expired) is published
/// under its command id.
struct StatusTrackerProcessor: Processor {
    let name = "status-tracker"
    let topics: Topics
    var inputs: [Topic] { [topics.outbound, topics.outboundBulk, topics.outboundResults, topics.statuses] }
    /// It is kept for longer than the commands are, and whoever takes over needs it at once.
    var state: StateMode { .surviving(.all) }

    /// Statuses can come for 7 days after sending, retried by the provider (docs.360dialog.com); twice that is kept.
    private static let memory = Duration.seconds(14 * 86_400)

    func handle(_ record: StoredRecord, _ context: HandlerContext) async throws -> [Record] {
        guard let news = try news(in: record) else { return [] }
        var state = try await known(news, context)
        let before = state
        state.merge(news)
        try await remember(state, context)
        // A command alone is no message yet: nobody can ask for it by message id, and most become one within a second.
        guard state != before, state.messageID != nil || state.failure != nil else { return [] }
        return [try change(of: state, causedBy: record)]
    }

    /// What one record says about its message; nil for a payment's status, which is none of the message's, and for
    /// marking as read, which makes no message.
    private func news(in record: StoredRecord) throws -> MessageState? {
        switch record.topic {
        case topics.statuses:
            let status = try MessageStatus(record)
            return status.isPayment ? nil : news(status)
        case topics.outboundResults: return try news(OutboundResult(record))
        default: return try news(OutboundCommand(record))
        }
    }

    private func news(_ status: MessageStatus) -> MessageState {
        var news = MessageState(
            messageID: status.id, commandID: status.tag?.commandID, conversation: status.conversationKey)
        news.add(
            MessageState.Entry(
                word: status.status, at: status.timestamp, participant: status.participant,
                errorCode: status.errorCodes.first.map { String($0) }))
        return news
    }

    private func news(_ result: OutboundResult) -> MessageState? {
        if result.isMark { return nil }
        var news = MessageState(
            messageID: result.messageID, commandID: result.commandID, conversation: result.conversationKey,
            purpose: result.purpose?.rawValue)
        news.add(
            MessageState.Entry(
                word: result.outcome.rawValue, at: result.finishedAt, errorCode: result.error?.code.map { String($0) } ?? result.error?.errorClass))
        return news
    }

    private func news(_ command: OutboundCommand) -> MessageState? {
        if command.isMark { return nil }
        var news = MessageState(
            commandID: command.id, conversation: command.conversationKey, purpose: command.purpose.rawValue)
        news.add(MessageState.Entry(word: MessageState.Stage.requested.rawValue, at: command.requestedAt))
        return news
    }

    /// Everything known under either id. Both may have been met apart before anything linked them.
    private func known(_ news: MessageState, _ context: HandlerContext) async throws -> MessageState {
        var known = MessageState()
        if let id = news.commandID, let bytes = try await context.state.value("command/\(id)") {
            known = MessageState(decoding: bytes) ?? known
        }
        if let id = news.messageID ?? known.messageID, let bytes = try await context.state.value("message/\(id)") {
            if let found = MessageState(decoding: bytes) { known.merge(found) }
        }
        return known
    }

    /// The whole state stands under the message id, or under the command id while there is no message; then the command
    /// id keeps what is needed to find the message.
    private func remember(_ state: MessageState, _ context: HandlerContext) async throws {
        let expires = context.now + Self.memory
        if let id = state.messageID {
            try await context.state.set("message/\(id)", to: state.encoded(), expires: expires)
        }
        if let id = state.commandID {
            let pointer = state.messageID == nil ? state : MessageState(messageID: state.messageID, commandID: id)
            try await context.state.set("command/\(id)", to: pointer.encoded(), expires: expires)
        }
    }

    private func change(of state: MessageState, causedBy cause: StoredRecord) throws -> Record {
        let event = try CloudEvent(cause.headers)
        let key = state.messageID ?? state.commandID ?? event.id
        let value = state.encoded()
        var id = IdentityHash("message-state")
        id.add(key)
        id.add(value[...])
        let headers = CloudEvent(
            type: .messageStateChanged, id: id.hex(), source: event.source, subject: key, time: event.time,
            recordedTime: cause.timestamp, partitionKey: key, correlationID: event.correlationID,
            causationID: event.id, traceparent: event.traceparent
        ).headers
        return Record(topic: topics.messageState, key: Array(key.utf8), value: value, headers: headers)
    }
}
