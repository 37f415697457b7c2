import EventLog
import Processing
import WhatsApp

/// Counts messages per business number and minute: in by type, out, sent, delivered, read, failed by code.
///
/// A minute is WhatsApp's own (`ce_time`), so a late delivery corrects the past. Copies of an event share their
/// `ce_source` and `ce_id` and are counted once within `memory`.
struct AnalyticsProcessor: Processor {
    let name = "analytics"
    let topics: Topics
    var inputs: [Topic] { [topics.messages, topics.outboundResults, topics.statuses] }
    var state: StateMode { .rebuiltFromInputs }

    /// The provider redelivers for up to 7 days (docs.360dialog.com); copies come no later than that.
    private static let memory = Duration.seconds(8 * 86_400)
    private static let copies = Deduplication(window: memory, bucket: .seconds(3_600))

    func handle(_ record: StoredRecord, _ context: HandlerContext) async throws -> [Record] {
        guard let count = try count(of: record) else { return [] }
        let event = try CloudEvent(record.headers)
        let identity = "\(event.source)#\(event.id)"
        guard try await Self.copies.isFirst(identity, of: event.time, at: context.now, in: context.state) else { return [] }
        var window = try await stored(count.key, context)
        window.add(count)
        try await context.state.set(stateKey(count.key), to: window.encoded(), expires: context.now + Self.memory)
        return []
    }

    /// Each window that the batch touched goes out once, with what it holds by then.
    func endBatch(_ records: [StoredRecord], _ context: HandlerContext) async throws -> [Record] {
        var touched: [AnalyticsWindow.Key: StoredRecord] = [:]
        for record in records {
            if let count = try? count(of: record) { touched[count.key] = record }
        }
        var outputs: [Record] = []
        for (key, cause) in touched {
            outputs.append(try publish(try await stored(key, context), from: context.partition, causedBy: cause))
        }
        return outputs
    }

    /// What one record adds to its window; nil when it counts for nothing.
    private func count(of record: StoredRecord) throws -> AnalyticsWindow? {
        switch record.topic {
        case topics.messages: count(try InboundMessage(record))
        case topics.outboundResults: count(try OutboundResult(record))
        default: count(try MessageStatus(record))
        }
    }

    private func count(_ message: InboundMessage) -> AnalyticsWindow {
        var count = AnalyticsWindow(key: .init(number: message.channel.business, at: message.timestamp))
        count.incoming[message.type] = 1
        return count
    }

    private func count(_ result: OutboundResult) -> AnalyticsWindow? {
        if result.isMark { return nil }
        var count = AnalyticsWindow(
            key: .init(
                number: result.channel?.business ?? ConversationKey.business(of: result.conversationKey),
                at: result.finishedAt))
        switch result.outcome {
        case .accepted: count.out = 1
        case .rejected: count.failed[result.error?.code.map { String($0) } ?? result.error?.errorClass ?? "rejected"] = 1
        case .expired: count.failed["expired"] = 1
        case .unknown: return nil
        }
        return count
    }

    private func count(_ status: MessageStatus) -> AnalyticsWindow? {
        if status.isPayment { return nil }
        var count = AnalyticsWindow(key: .init(number: status.channel.business, at: status.timestamp))
        switch status.status {
        case "sent": count.sent = 1
        case "delivered": count.delivered = 1
        case "read": count.read = 1
        case "failed": count.failed[status.errorCodes.first.map { String($0) } ?? "none"] = 1
        default: return nil
        }
        return count
    }

    private func publish(
        _ window: AnalyticsWindow, from partition: Int32, causedBy cause: StoredRecord
    ) throws -> Record {
        let event = try CloudEvent(cause.headers)
        let key = window.key.record(partition: partition)
        let value = window.encoded()
        var id = IdentityHash("analytics")
        id.add(key[...])
        id.add(value[...])
        let headers = CloudEvent(
            type: .analyticsUpdated, id: id.hex(), source: event.source, time: window.key.from,
            recordedTime: cause.timestamp, partitionKey: String(decoding: key, as: UTF8.self), causationID: event.id,
            traceparent: event.traceparent
        ).headers
        return Record(topic: topics.analytics, key: key, value: value, headers: headers)
    }

    private func stored(_ key: AnalyticsWindow.Key, _ context: HandlerContext) async throws -> AnalyticsWindow {
        let bytes = try await context.state.value(stateKey(key))
        return bytes.flatMap(AnalyticsWindow.init(decoding:)) ?? AnalyticsWindow(key: key)
    }

    private func stateKey(_ key: AnalyticsWindow.Key) -> String { "window/\(key.number)/\(key.from.milliseconds)" }
}
