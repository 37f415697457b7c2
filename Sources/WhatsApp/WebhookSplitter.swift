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
/// | status | `id`, `status` | conversation of our tag; of the recipient; message id | hash, see `statusID` |
/// | error | an object | phone number id | hash, see `contentID` |
/// | other | – | phone number id or WABA id | partner event's `id`; else hash, see `contentID` |
///
/// A bound channel speaks for its own number (or account) alone: what a body says about another one is kept on `other`
/// and never becomes a message or status, so that the credentials of one tenant cannot write into another's
/// conversations. A channel that is not bound takes every number of its bodies, as an account-level webhook must.
public struct WebhookSplitter: Sendable {
    /// Items of one body at most, readable or not; a body with more is kept whole. The platform batches 1,000 at most
    /// (Meta, "Webhooks"), and a history comes as one item. Tiny items compress to nothing and take a hundred times
    /// their size as records: without a bound a few kilobytes would stop all other connections for a second.
    public static let maxItems = 10_000
    /// Bytes of one body's records at most, without their fixed headers; a body with more is kept whole. Eight times the
    /// platform's largest body.
    public static let maxRecordBytes = 24 << 20
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

    let setup: WebhookSetup
    private let depthLimit: Int

    /// A splitter for one channel, to be kept: it prepares what all its records have in common.
    ///
    /// - Parameters:
    ///   - channel: what the URL or the credentials stand for.
    ///   - isBound: whether bodies may speak for that channel's `phoneNumberID` only.
    ///   - maxDepth: containers within containers, at most 128; a deeper body is refused as no JSON.
    public init(
        channel: ChannelIdentity, topics: Topics, isBound: Bool = false, maxDepth: Int = WebhookSplitter.maxDepth
    ) {
        depthLimit = maxDepth
        setup = WebhookSetup(channel, topics, isBound: isBound)
    }

    /// The records of `body`, ready to be produced together.
    ///
    /// - Parameters:
    ///   - receivedAt: time of arrival: `ce_recordedtime`, and `ce_time` where WhatsApp's own is missing.
    ///   - traceparent: the delivery's trace context, passed on as it is.
    ///   - workspace: of the calling thread; its `eventTimes` are then those of the records.
    public func split(
        _ body: RawSpan, receivedAt: Timestamp, traceparent: [UInt8]?, in workspace: WebhookWorkspace
    ) throws(SplitError) -> [Record] {
        // Everything that is borrowed lives in here: the body, the trace, the list of values and the arena.
        try body.withUnsafeBytes { body throws(SplitError) in
            do throws(JSONError) {
                try JSONScanner.scan(body, maxDepth: depthLimit, into: workspace.tokens)
            } catch {
                throw .invalidJSON(error)
            }
            workspace.forgetTimes()
            let mark = workspace.arena.mark
            defer { workspace.arena.release(to: mark) }
            let text = WebhookText(body, workspace.tokens.scanned, workspace.arena)
            guard text.isObject(0) else { throw .notAnObject }
            let trace = traceparent.map(text.arena.keep)
            var walk = WebhookWalk(
                WebhookRecords(text, setup, arrival: receivedAt, traceparent: trace, workspace))
            return walk.run()
        }
    }

    /// The same for a single body.
    public func split(
        _ body: [UInt8], receivedAt: Timestamp, traceparent: String? = nil
    ) throws(SplitError) -> [Record] {
        try split(
            body.span.bytes, receivedAt: receivedAt, traceparent: traceparent.map { Array($0.utf8) },
            in: WebhookWorkspace())
    }

    /// The same for a single body of a single channel.
    public static func split(
        _ body: [UInt8], channel: ChannelIdentity, topics: Topics, receivedAt: Timestamp, traceparent: String? = nil
    ) throws(SplitError) -> [Record] {
        try WebhookSplitter(channel: channel, topics: topics)
            .split(body, receivedAt: receivedAt, traceparent: traceparent)
    }
}
