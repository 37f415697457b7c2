import EventLog

/// What a group's leader has assigned to a member, as the consumer protocol writes it.
///
/// Version (INT16), then an array of topic (STRING) and partitions (array of INT32), then user data. All integers are
/// big-endian; a null array has the count -1. Source: Apache Kafka, `ConsumerProtocolAssignment.json`.
enum MemberAssignment {
    /// Empty for bytes that are something else: other clients may write what they like into their own groups.
    static func partitions(in bytes: UnsafeRawBufferPointer) -> [TopicPartition] {
        var cursor = Cursor(bytes: bytes)
        guard cursor.integer(Int16.self) != nil, let topics = cursor.integer(Int32.self) else { return [] }
        var partitions: [TopicPartition] = []
        // Each topic takes six bytes or more, each partition four: counts that the bytes cannot hold end the loops.
        for _ in 0..<max(0, topics) {
            guard let name = cursor.string(), let count = cursor.integer(Int32.self) else { return [] }
            for _ in 0..<max(0, count) {
                guard let partition = cursor.integer(Int32.self) else { return [] }
                partitions.append(TopicPartition(Topic(name), partition))
            }
        }
        return partitions
    }

    private struct Cursor {
        let bytes: UnsafeRawBufferPointer
        var at = 0

        mutating func integer<Number: FixedWidthInteger & BitwiseCopyable>(_ type: Number.Type) -> Number? {
            guard at + MemoryLayout<Number>.size <= bytes.count else { return nil }
            defer { at += MemoryLayout<Number>.size }
            return Number(bigEndian: bytes.loadUnaligned(fromByteOffset: at, as: type))
        }

        mutating func string() -> String? {
            guard let length = integer(Int16.self).map(Int.init), length >= 0, at + length <= bytes.count else {
                return nil
            }
            defer { at += length }
            return String(decoding: bytes[at..<at + length], as: UTF8.self)
        }
    }
}
