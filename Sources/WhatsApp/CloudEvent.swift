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
        var texts: [Name: String] = [:]
        headers.forEachRaw { name, value in
            guard let name = Name(rawValue: String(decoding: name, as: UTF8.self)), let value else { return }
            texts[name] = String(decoding: value, as: UTF8.self)
        }
        func required(_ name: Name) throws(MalformedRecord) -> String {
            guard let text = texts[name], !text.isEmpty else { throw MalformedRecord(name.rawValue) }
            return text
        }
        id = try required(.id)
        source = try required(.source)
        type = try required(.type)
        subject = texts[.subject]
        time = texts[.time].flatMap(RFC3339.parse)
        timeIsArrival = texts[.timeSource] == Self.arrival
        recordedTime = texts[.recordedTime].flatMap(RFC3339.parse)
        partitionKey = texts[.partitionKey]
        correlationID = texts[.correlationID]
        causationID = texts[.causationID]
        traceparent = texts[.traceparent]
    }

    /// The headers of the record.
    public var headers: Headers {
        var headers = Headers()
        headers.reserveCapacity(640)
        headers.append(Name.contentType.rawValue, "application/json")
        headers.append(Name.specVersion.rawValue, "1.0")
        func append(_ name: Name, _ value: String?) {
            if let value { headers.append(name.rawValue, value) }
        }
        append(.id, id)
        append(.source, source)
        append(.type, type)
        append(.subject, subject)
        append(.time, time.map(RFC3339.string))
        append(.timeSource, timeIsArrival ? Self.arrival : nil)
        append(.recordedTime, recordedTime.map(RFC3339.string))
        append(.partitionKey, partitionKey)
        append(.correlationID, correlationID)
        append(.causationID, causationID)
        append(.traceparent, traceparent)
        return headers
    }

    /// `ce_source` of what concerns one number: `/360dialog/<waba id>/<business>`. Either part may be text from
    /// outside, so what a URI path may not hold is percent-encoded; an unknown account is `-`.
    public static func source(wabaID: String?, business: String) -> String {
        "/360dialog/\(pathSegment(wabaID ?? "-"))/\(pathSegment(business))"
    }

    /// `ce_source` of what concerns a whole account.
    public static func source(wabaID: String) -> String { "/360dialog/\(pathSegment(wabaID))" }

    /// Header names.
    enum Name: String {
        case contentType = "content-type"
        case specVersion = "ce_specversion"
        case id = "ce_id"
        case source = "ce_source"
        case type = "ce_type"
        case subject = "ce_subject"
        case time = "ce_time"
        case timeSource = "ce_timesource"
        case recordedTime = "ce_recordedtime"
        case partitionKey = "ce_partitionkey"
        case correlationID = "ce_correlationid"
        case causationID = "ce_causationid"
        case traceparent = "traceparent"
    }

    static let arrival = "arrival"

    private static func pathSegment(_ text: String) -> String {
        func isUnreserved(_ byte: UInt8) -> Bool {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                true
            default: false
            }
        }
        if text.utf8.allSatisfy(isUnreserved) { return text }
        var encoded = ""
        for byte in text.utf8 {
            if isUnreserved(byte) {
                encoded.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                encoded += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
            }
        }
        return encoded
    }
}
