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
        var texts: [String: String] = [:]
        headers.forEachRaw { name, value in
            let name = String(decoding: name, as: UTF8.self)
            if let value, Name.all.contains(name) { texts[name] = String(decoding: value, as: UTF8.self) }
        }
        func required(_ name: String) throws(MalformedRecord) -> String {
            guard let text = texts[name], !text.isEmpty else { throw MalformedRecord(name) }
            return text
        }
        id = try required(Name.id)
        source = try required(Name.source)
        type = try required(Name.type)
        subject = texts[Name.subject]
        time = texts[Name.time].flatMap(RFC3339.parse)
        timeIsArrival = texts[Name.timeSource] == Self.arrival
        recordedTime = texts[Name.recordedTime].flatMap(RFC3339.parse)
        partitionKey = texts[Name.partitionKey]
        correlationID = texts[Name.correlationID]
        causationID = texts[Name.causationID]
        traceparent = texts[Name.traceparent]
    }

    /// The headers of the record.
    public var headers: Headers {
        var headers = Self.firstHeaders
        headers.reserveCapacity(640)
        Self.append(recordedTime: recordedTime, traceparent: traceparent, to: &headers)
        headers.append(Name.source, source)
        Self.append(
            type: type, id: ArraySlice(id.utf8), subject: subject.map { ArraySlice($0.utf8) }, time: time,
            timeIsArrival: timeIsArrival, partitionKey: partitionKey.map { ArraySlice($0.utf8) },
            correlationID: correlationID.map { ArraySlice($0.utf8) },
            causationID: causationID.map { ArraySlice($0.utf8) }, to: &headers)
        return headers
    }

    // The parts of `headers`, by how many records have them in common; for the ingress, which has the text in bytes.

    /// Of all events.
    static let firstHeaders = Headers([Header(Name.contentType, "application/json"), Header(Name.specVersion, "1.0")])

    /// Of all events of one delivery.
    static func append(recordedTime: Timestamp?, traceparent: String?, to headers: inout Headers) {
        if let recordedTime { headers.append(Name.recordedTime, RFC3339.string(recordedTime)) }
        if let traceparent { headers.append(Name.traceparent, traceparent) }
    }

    /// Of one event.
    static func append(
        type: String, id: ArraySlice<UInt8>, subject: ArraySlice<UInt8>?, time: Timestamp?, timeIsArrival: Bool,
        partitionKey: ArraySlice<UInt8>?, correlationID: ArraySlice<UInt8>?, causationID: ArraySlice<UInt8>?,
        to headers: inout Headers
    ) {
        headers.append(Name.id, id)
        headers.append(Name.type, type)
        if let subject { headers.append(Name.subject, subject) }
        if let time { headers.append(Name.time, RFC3339.string(time)) }
        if timeIsArrival { headers.append(Name.timeSource, arrival) }
        if let partitionKey { headers.append(Name.partitionKey, partitionKey) }
        if let correlationID { headers.append(Name.correlationID, correlationID) }
        if let causationID { headers.append(Name.causationID, causationID) }
    }

    /// `ce_source` of what concerns one number: `/360dialog/<waba id>/<business>`. Either part may be text from
    /// outside, so what a URI path may not hold is percent-encoded; an unknown account is `-`.
    public static func source(wabaID: String?, business: String) -> String {
        let source = source(wabaID: wabaID.map { ArraySlice($0.utf8) }, business: ArraySlice(business.utf8))
        return String(decoding: source, as: UTF8.self)
    }

    /// Without `business` it is the source of what concerns the whole account.
    static func source(wabaID: ArraySlice<UInt8>?, business: ArraySlice<UInt8>?) -> [UInt8] {
        var source: [UInt8] = []
        source.reserveCapacity(64)
        source.append(contentsOf: "/360dialog/".utf8)
        if let wabaID { appendPathSegment(wabaID, to: &source) } else { source.append(UInt8(ascii: "-")) }
        if let business {
            source.append(UInt8(ascii: "/"))
            appendPathSegment(business, to: &source)
        }
        return source
    }

    /// Header names.
    enum Name {
        static let contentType = "content-type"
        static let specVersion = "ce_specversion"
        static let id = "ce_id"
        static let source = "ce_source"
        static let type = "ce_type"
        static let subject = "ce_subject"
        static let time = "ce_time"
        static let timeSource = "ce_timesource"
        static let recordedTime = "ce_recordedtime"
        static let partitionKey = "ce_partitionkey"
        static let correlationID = "ce_correlationid"
        static let causationID = "ce_causationid"
        static let traceparent = "traceparent"

        static let all: Set = [
            id, source, type, subject, time, timeSource, recordedTime, partitionKey, correlationID, causationID,
            traceparent,
        ]
    }

    static let arrival = "arrival"

    /// Appends `text` as one segment of a URI path: what may not stand there is percent-encoded.
    static func appendPathSegment(_ text: ArraySlice<UInt8>, to path: inout [UInt8]) {
        if text.allSatisfy(isUnreserved) { return path.append(contentsOf: text) }
        for byte in text {
            if isUnreserved(byte) {
                path.append(byte)
            } else {
                path.append(contentsOf: ((byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)).utf8)
            }
        }
    }

    /// RFC 3986 section 2.3.
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}
