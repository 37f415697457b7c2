import EventLog

/// Turns a webhook body into records: each message, status and error one record on its topic, everything else one on
/// `other`; each with its item as it came, byte for byte.
///
/// - The body is read once. A body that is one JSON object always gives at least one record; what cannot be read as a
///   message, status or error is kept on `other` with an `UnreadReason`, and its neighbours do not notice.
/// - Order within the body is kept: per change messages, then statuses, then errors, each in theirs.
/// - Ids come from content, so a redelivered body gives the same (`ce_source`, `ce_id`) again.
/// - Work and memory are linear in the body, whatever it holds.
///
/// | record | needs | key | `ce_id` |
/// |---|---|---|---|
/// | message | `id`, a sender | conversation | its `id` |
/// | status | `id`, `status` | conversation; that of our tag; else the message's id | hash of id, status, timestamp, participant, payment |
/// | error | an object | phone number id | hash, see `other` |
/// | other | – | phone number id or WABA id | partner event's id; hash of entry, time, field, item; without time: of body and place |
///
/// A channel with a `phoneNumberID` is bound to it: what a body says about another number is kept on `other` and never
/// becomes a message or status, so that the credentials of one tenant cannot write into another's conversations.
public enum WebhookSplitter {
    /// Records of one body at most; the platform promises 1,000 items. A body with more is kept whole.
    public static let maxRecords = 50_000
    /// Unreadable items of one body that get a record each.
    public static let maxUnreadable = 1_000
    /// Longest message id, in characters.
    public static let maxIDLength = 1_024
    /// Longest id of a user or group, in bytes; real ones stay below 150.
    public static let maxUserBytes = 512
    /// Copies of contacts in the records of one body, in bytes.
    public static let maxContactBytes = 16 << 20
    /// Containers within containers; real bodies stay below 20.
    public static let maxDepth = 64

    /// The records of `body`, ready to be produced together.
    ///
    /// - Parameters:
    ///   - channel: what the URL or the credentials stand for.
    ///   - receivedAt: time of arrival: `ce_recordedtime`, and `ce_time` where WhatsApp's own is missing.
    ///   - traceparent: the delivery's trace context, passed on as it is.
    public static func split(
        _ body: [UInt8], channel: ChannelIdentity, topics: Topics, receivedAt: Timestamp, traceparent: String? = nil
    ) throws(SplitError) -> [Record] {
        let text: JSONText
        do {
            text = try JSONText(body, maxDepth: maxDepth)
        } catch {
            throw .invalidJSON(error)
        }
        guard text.isObject(0) else { throw .notAnObject }
        var walk = WebhookWalk(
            text, channel: channel,
            records: WebhookRecords(
                text, channel: channel, topics: topics, arrival: receivedAt, traceparent: traceparent))
        return walk.run()
    }
}
