import CRdKafka
import EventLog
import Foundation

/// Records on their way into librdkafka and out of it.
enum RDKafkaRecord {
    /// Any address will do for "empty, but not null".
    private static var empty: UnsafeMutableRawPointer { UnsafeMutableRawPointer(bitPattern: 8)! }

    /// Puts the record into the producer's queue. Answers why it was refused; nil when it was taken.
    ///
    /// Key and headers are copied. The value is not: whoever calls keeps the array unchanged until the record is
    /// reported, and with it the address of its bytes, which lie in the array's own allocation.
    static func produce(
        _ record: UnsafePointer<Record>, to topic: OpaquePointer, with client: RDKafkaClient,
        opaque: UnsafeMutableRawPointer
    ) -> rd_kafka_resp_err_t? {
        let headers = record.pointee.headers.isEmpty ? nil : makeHeaders(record.pointee.headers)
        let refusal = withBytes(record.pointee.key) { key in
            withBytes(record.pointee.value) { value in
                withUnsafeTemporaryAllocation(of: rd_kafka_vu_t.self, capacity: 8) { parts in
                    var count = 0
                    func add(_ part: rd_kafka_vu_t) {
                        parts.initializeElement(at: count, to: part)
                        count += 1
                    }
                    add(part(RD_KAFKA_VTYPE_RKT) { $0.rkt = topic })
                    add(part(RD_KAFKA_VTYPE_PARTITION) { $0.i32 = record.pointee.partition ?? -1 })
                    add(part(RD_KAFKA_VTYPE_MSGFLAGS) { $0.i = 0 })
                    add(part(RD_KAFKA_VTYPE_KEY) { ($0.mem.ptr, $0.mem.size) = key })
                    add(part(RD_KAFKA_VTYPE_VALUE) { ($0.mem.ptr, $0.mem.size) = value })
                    add(part(RD_KAFKA_VTYPE_OPAQUE) { $0.ptr = opaque })
                    if let timestamp = record.pointee.timestamp {
                        add(part(RD_KAFKA_VTYPE_TIMESTAMP) { $0.i64 = timestamp.milliseconds })
                    }
                    if let headers { add(part(RD_KAFKA_VTYPE_HEADERS) { $0.headers = headers }) }
                    return takeError(rd_kafka_produceva(client.handle, parts.baseAddress, count))
                }
            }
        }
        // The library owns the headers once it has taken the record.
        if refusal != nil, let headers { rd_kafka_headers_destroy(headers) }
        return refusal
    }

    private static func part(
        _ type: rd_kafka_vtype_t, _ set: (inout rd_kafka_vu_s.__Unnamed_union_u) -> Void
    ) -> rd_kafka_vu_t {
        var part = rd_kafka_vu_t()
        part.vtype = type
        set(&part.u)
        return part
    }

    private static func withBytes<Result>(
        _ bytes: [UInt8]?, _ body: ((UnsafeMutableRawPointer?, Int)) -> Result
    ) -> Result {
        guard let bytes else { return body((nil, 0)) }
        return bytes.withUnsafeBytes { body((UnsafeMutableRawPointer(mutating: $0.baseAddress) ?? empty, $0.count)) }
    }

    private static func makeHeaders(_ headers: Headers) -> OpaquePointer? {
        let made = rd_kafka_headers_new(16)
        headers.forEachRaw { name, value in
            name.withMemoryRebound(to: CChar.self) { name in
                _ = rd_kafka_header_add(
                    made, name.baseAddress, name.count, value.map { $0.baseAddress ?? UnsafeRawPointer(empty) },
                    value?.count ?? 0)
            }
        }
        return made
    }

    /// Takes fetched messages of one partition over: with a loan they stay where they are, else they are copied and given back.
    static func take(
        _ messages: [UnsafeMutablePointer<rd_kafka_message_t>], of source: TopicPartition, on loan: Loan?
    ) -> [StoredRecord] {
        guard let loan else {
            return messages.map { message in
                defer { rd_kafka_message_destroy(message) }
                return stored(message, of: source)
            }
        }
        let content = RDKafkaMessages(messages, on: loan)
        return messages.enumerated().map { index, message in
            StoredRecord(
                offset: message.pointee.offset, timestamp: timestamp(of: message), content: content, index: index,
                byteCount: byteCount(of: message))
        }
    }

    /// Copies a fetched message; the caller destroys the message.
    static func stored(_ message: UnsafeMutablePointer<rd_kafka_message_t>, of source: TopicPartition) -> StoredRecord {
        StoredRecord(
            source: source, offset: message.pointee.offset, key: key(of: message), value: value(of: message),
            headers: headers(of: message), timestamp: timestamp(of: message))
    }

    private static func timestamp(of message: UnsafeMutablePointer<rd_kafka_message_t>) -> Timestamp {
        Timestamp(milliseconds: max(0, rd_kafka_message_timestamp(message, nil)))
    }

    static func key(of message: UnsafeMutablePointer<rd_kafka_message_t>) -> [UInt8]? {
        message.pointee.key.map { Array(UnsafeRawBufferPointer(start: $0, count: message.pointee.key_len)) }
    }

    static func keyHash(of message: UnsafeMutablePointer<rd_kafka_message_t>) -> UInt32 {
        message.pointee.key.map { Murmur2.hash(UnsafeRawBufferPointer(start: $0, count: message.pointee.key_len)) } ?? 0
    }

    static func value(of message: UnsafeMutablePointer<rd_kafka_message_t>) -> [UInt8]? {
        message.pointee.payload.map { Array(UnsafeRawBufferPointer(start: $0, count: message.pointee.len)) }
    }

    /// The library does not tell how long the headers are before it has taken them apart: Millrace's own have 400 to 700
    /// bytes.
    private static let usualHeaderBytes = 512

    /// Bytes of key and value, and as many as headers usually have.
    static func byteCount(of message: UnsafeMutablePointer<rd_kafka_message_t>) -> Int {
        message.pointee.key_len + message.pointee.len + usualHeaderBytes
    }

    static func headers(of message: UnsafeMutablePointer<rd_kafka_message_t>) -> Headers {
        var list: OpaquePointer?
        guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR else { return Headers() }
        var headers = Headers()
        headers.reserveCapacity(512)
        var index = 0
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while rd_kafka_header_get_all(list, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
            // Longer names than `Headers` can hold are nobody's: Kafka allows them, no producer we know writes them.
            let length = name.map { min(strlen($0), Int(UInt16.max)) } ?? 0
            headers.append(
                rawName: UnsafeRawBufferPointer(start: name, count: length),
                rawValue: value.map { UnsafeRawBufferPointer(start: $0, count: size) })
            index += 1
        }
        return headers
    }
}
