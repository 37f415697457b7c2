import EventLog

/// A record's headers as CloudEvents 1.0 has them in the binary mode of its Kafka binding: attributes as `ce_*`
/// headers in UTF-8, the value as the event's data.
///
/// The event's identity is (`source`, `id`): copies of an event carry the same two.
public struct CloudEvent: Sendable, Hashable {
    public var id: String
    public var source: String
    /// One of `EventType`, or whatever another writer put there.
    public var type: String
    /// The WhatsApp message id where there is one.
    public var subject: String?
    /// When it happened, by WhatsApp's clock where that was readable.
    public var time: Timestamp?
    /// True when `time` is our time of arrival because WhatsApp's was missing or absurd (`ce_timesource: arrival`).
    public var timeIsArrival: Bool
    /// When the record was first made.
    public var recordedTime: Timestamp?
    public var partitionKey: String?
    /// Id of the event that began the chain of causes.
    public var correlationID: String?
    /// Id of the event or command that caused this one.
    public var causationID: String?
    /// W3C trace context.
    public var traceparent: String?

    public init(
        type: EventType, id: String, source: String, subject: String? = nil, time: Timestamp?,
        timeIsArrival: Bool = false, recordedTime: Timestamp?, partitionKey: String?, correlationID: String? = nil,
        causationID: String? = nil, traceparent: String? = nil
    ) {
        self.type = type.rawValue
        self.id = id
        self.source = source
        self.subject = subject
        self.time = time
        self.timeIsArrival = timeIsArrival
        self.recordedTime = recordedTime
        self.partitionKey = partitionKey
        self.correlationID = correlationID
        self.causationID = causationID
        self.traceparent = traceparent
    }

    /// Reads a record's headers; of a repeated name the last counts, and a time that cannot be read counts as absent.
    ///
    /// Throws when `ce_id`, `ce_source` or `ce_type` is missing or empty.
    public init(_ headers: Headers) throws(MalformedRecord) {
        (id, source, type, timeIsArrival) = ("", "", "", false)
        headers.forEachRaw { name, value in
            guard let value else { return }
            var text: String { String(decoding: value, as: UTF8.self) }
            // By their lengths first: most names are told apart by that.
            switch BorrowedBytes(name) {
            case Name.id: id = text
            case Name.source: source = text
            case Name.type: type = text
            case Name.subject: subject = text
            case Name.time: time = RFC3339.parse(value)
            case Name.timeSource: timeIsArrival = text == Self.arrival
            case Name.recordedTime: recordedTime = RFC3339.parse(value)
            case Name.partitionKey: partitionKey = text
            case Name.correlationID: correlationID = text
            case Name.causationID: causationID = text
            case Name.traceparent: traceparent = text
            default: break
            }
        }
        for (text, name) in [(id, Name.id), (source, Name.source), (type, Name.type)] where text.isEmpty {
            throw MalformedRecord(name.description)
        }
    }

    /// The headers of the record.
    public var headers: Headers {
        ByteArena.scoped { arena in
            func bytes(_ text: String?) -> BorrowedBytes? { text.map(arena.keep) }
            return CloudEventText(
                source: arena.keep(source), id: arena.keep(id), type: arena.keep(type), subject: bytes(subject),
                time: time.map(arena.keep), timeIsArrival: timeIsArrival, recordedTime: recordedTime.map(arena.keep),
                partitionKey: bytes(partitionKey), correlationID: bytes(correlationID),
                causationID: bytes(causationID), traceparent: bytes(traceparent)
            ).headers
        }
    }

    /// `ce_source` of what concerns one number: `/360dialog/<waba id>/<business>`. Either part may be text from
    /// outside, so what a URI path may not hold is percent-encoded; an unknown account is `-`.
    public static func source(wabaID: String?, business: String) -> String {
        ByteArena.scoped { arena in
            let source = CloudEventText.source(wabaID: wabaID.map(arena.keep), business: arena.keep(business), arena)
            return String(decoding: source.raw, as: UTF8.self)
        }
    }

    /// Header names.
    enum Name {
        static let contentType: StaticString = "content-type"
        static let specVersion: StaticString = "ce_specversion"
        static let id: StaticString = "ce_id"
        static let source: StaticString = "ce_source"
        static let type: StaticString = "ce_type"
        static let subject: StaticString = "ce_subject"
        static let time: StaticString = "ce_time"
        static let timeSource: StaticString = "ce_timesource"
        static let recordedTime: StaticString = "ce_recordedtime"
        static let partitionKey: StaticString = "ce_partitionkey"
        static let correlationID: StaticString = "ce_correlationid"
        static let causationID: StaticString = "ce_causationid"
        static let traceparent: StaticString = "traceparent"
    }

    static let arrival = "arrival"

    /// `text` as one segment of a URI path: what may not stand there is percent-encoded.
    static func pathSegment(_ text: String) -> String {
        ByteArena.scoped { arena in
            let text = arena.keep(text)
            let segment = arena.write(limit: CloudEventText.segmentLimit(text)) {
                CloudEventText.appendSegment(text, to: &$0)
            }
            return String(decoding: segment.raw, as: UTF8.self)
        }
    }
}
