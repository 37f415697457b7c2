import EventLog
import Testing

@testable import KafkaLog

/// Bytes of the consumer protocol, as Java's client and librdkafka write them, and as nobody should.
@Suite struct MemberAssignmentTests {
    /// Version 0; `in`: 0 and 3; `side`: 1; no user data.
    private let two: [UInt8] =
        [0, 0, 0, 0, 0, 2] + [0, 2] + Array("in".utf8) + [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3]
        + [0, 4] + Array("side".utf8) + [0, 0, 0, 1, 0, 0, 0, 1] + [255, 255, 255, 255]

    private func partitions(_ bytes: [UInt8]) -> [TopicPartition] {
        bytes.withUnsafeBytes { MemberAssignment.partitions(in: $0) }
    }

    @Test func topicsAndPartitionsAreRead() {
        #expect(partitions(two) == [TopicPartition("in", 0), TopicPartition("in", 3), TopicPartition("side", 1)])
    }

    @Test func aMemberMayHaveNothing() {
        #expect(partitions([]) == [])
        #expect(partitions([0, 1, 0, 0, 0, 0]) == [])
        #expect(partitions([0, 1, 255, 255, 255, 255]) == [])
    }

    @Test func bytesThatEndTooSoonAreNoAssignment() {
        for length in 0..<two.count - 4 { #expect(partitions(Array(two.prefix(length))) == [], "\(length)") }
        // Two billion topics in eight bytes.
        #expect(partitions([0, 0, 127, 255, 255, 255, 0, 1]) == [])
        #expect(partitions([0, 0, 0, 0, 0, 1, 255, 254, 1, 2]) == [])
    }
}
