import EventLog

/// A `CloudEvent` as text that others keep, which is how it is written into headers.
struct CloudEventText {
    var source: BorrowedBytes
    var id: BorrowedBytes
    var type: BorrowedBytes
    var subject: BorrowedBytes?
    var time: BorrowedBytes?
    var timeIsArrival = false
    var recordedTime: BorrowedBytes?
    var partitionKey: BorrowedBytes?
    var correlationID: BorrowedBytes?
    var causationID: BorrowedBytes?
    var traceparent: BorrowedBytes?

    var headers: Headers {
        var size = 0
        forEach { name, value in size += Headers.packedSize(name, value.count) }
        return Headers(capacity: size) { headers in
            forEach { name, value in headers.append(name, value.raw) }
        }
    }

    @inline(__always)
    private func forEach(_ body: (StaticString, BorrowedBytes) -> Void) {
        typealias Name = CloudEvent.Name
        body(Name.contentType, BorrowedBytes("application/json"))
        body(Name.specVersion, BorrowedBytes("1.0"))
        if let recordedTime { body(Name.recordedTime, recordedTime) }
        if let traceparent { body(Name.traceparent, traceparent) }
        body(Name.source, source)
        body(Name.id, id)
        body(Name.type, type)
        if let subject { body(Name.subject, subject) }
        if let time { body(Name.time, time) }
        if timeIsArrival { body(Name.timeSource, BorrowedBytes("arrival")) }
        if let partitionKey { body(Name.partitionKey, partitionKey) }
        if let correlationID { body(Name.correlationID, correlationID) }
        if let causationID { body(Name.causationID, causationID) }
    }

    // MARK: Source

    /// See `CloudEvent.source`. Without `business` it is the source of what concerns the whole account.
    static func source(wabaID: BorrowedBytes?, business: BorrowedBytes?, _ arena: ByteArena) -> BorrowedBytes {
        let limit = 32 + (wabaID.map(segmentLimit) ?? 0) + (business.map(segmentLimit) ?? 0)
        return arena.write(limit: limit) { source in
            source.append("/360dialog/")
            if let wabaID { appendSegment(wabaID, to: &source) } else { source.append(UInt8(ascii: "-")) }
            guard let business else { return }
            source.append(UInt8(ascii: "/"))
            appendSegment(business, to: &source)
        }
    }

    /// Bytes that `text` takes as a segment, at most.
    static func segmentLimit(_ text: BorrowedBytes) -> Int { 3 * text.count }

    static func appendSegment(_ text: BorrowedBytes, to path: inout ByteWriter) {
        if text.allSatisfy(isUnreserved) { return path.append(text) }
        for byte in text.raw {
            if isUnreserved(byte) {
                path.append(byte)
            } else {
                path.append(UInt8(ascii: "%"))
                path.append(hexDigit(byte >> 4))
                path.append(hexDigit(byte & 15))
            }
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "A") + value - 10
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

extension ByteArena {
    func keep(_ time: Timestamp) -> BorrowedBytes {
        write(limit: RFC3339.maxLength) { $0.append(limit: RFC3339.maxLength) { RFC3339.write(time, to: $0) } }
    }
}
