import EventLog
import Processing
import WhatsApp

/// What statuses and messages tell the sender.
///
/// Most of them tell it nothing, and there are three statuses for every message: so little is read of a record before it
/// is clear that it matters.
extension OutboundSenderProcessor {
    func handleSide(_ record: StoredRecord, _ context: HandlerContext) async throws -> SideAnswer {
        guard let key = record.key.map({ String(decoding: $0, as: UTF8.self) }) else { return SideAnswer() }
        return record.topic == topics.statuses
            ? try await statusCame(record, key, context) : try await messageCame(record, key, context)
    }

    private func messageCame(
        _ record: StoredRecord, _ key: String, _ context: HandlerContext
    ) async throws -> SideAnswer {
        limiter.countInbound(number: ConversationKey.business(of: key))
        return SideAnswer()
    }

    private func statusCame(
        _ record: StoredRecord, _ key: String, _ context: HandlerContext
    ) async throws -> SideAnswer {
        if open.isAnybodyInDoubt { noteFlow(record, key, context.now) }
        let isAwaited = open.isWaiting(key)
        guard isAwaited || record.mentionsFailure, let status = try? MessageStatus(record), let tag = status.tag else {
            return SideAnswer()
        }
        if isAwaited, open.note(Evidence(status), of: tag.commandID) {
            return SideAnswer(wakes: [Wake(key: record.key ?? [])])
        }
        return status.meansWindowClosed ? try await fallBack(status, tag, context) : SideAnswer()
    }

    private func noteFlow(_ record: StoredRecord, _ key: String, _ now: Timestamp) {
        let recorded = record.headers.string("ce_recordedtime").flatMap(RFC3339.parse) ?? record.timestamp
        flow.note(ConversationKey.business(of: key), recorded: recorded, now: now)
    }

    /// The message was accepted, and refused later. Its fallback, if it brings one, becomes a command.
    private func fallBack(_ status: MessageStatus, _ tag: CommandTag, _ context: HandlerContext) async throws -> SideAnswer {
        guard let place = try await SentCommands(context.state).fallback(of: tag.commandID, in: context.partition),
            let record = try await archive.record(at: place), let command = try? Self.command(record),
            command.id == tag.commandID, let fallback = command.fallbackCommand(at: context.now)
        else { return SideAnswer() }
        let result = windowClosedLater(command, status.id, at: context.now)
        return SideAnswer(
            outputs: [result.record(topic: topics.outboundResults), fallback.record(topic: place.partition.topic)])
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
