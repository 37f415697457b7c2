/// Kafka's default choice of partition, so that Millrace, Kafka Streams, Flink and ksqlDB put a key in the same place.
///
/// The algorithm is Austin Appleby's MurmurHash2 (32 bit) with the seed and the sign handling of
/// `org.apache.kafka.common.utils.Utils.murmur2`; librdkafka calls it `murmur2`.
public enum Murmur2 {
    public static func hash(_ bytes: [UInt8]) -> UInt32 {
        bytes.withUnsafeBytes(hash)
    }

    public static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt32 {
        let m: UInt32 = 0x5bd1_e995
        var h: UInt32 = 0x9747_b28c ^ UInt32(truncatingIfNeeded: bytes.count)
        let words = bytes.count / 4
        for word in 0..<words {
            var k = UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: word * 4, as: UInt32.self))
            k &*= m
            k ^= k >> 24
            k &*= m
            h &*= m
            h ^= k
        }
        let tail = words * 4
        let rest = bytes.count - tail
        if rest >= 3 { h ^= UInt32(bytes[tail + 2]) << 16 }
        if rest >= 2 { h ^= UInt32(bytes[tail + 1]) << 8 }
        if rest >= 1 {
            h ^= UInt32(bytes[tail])
            h &*= m
        }
        h ^= h >> 13
        h &*= m
        h ^= h >> 15
        return h
    }

    /// Partition of a key, for `partitions` > 0.
    public static func partition(of key: [UInt8], partitions: Int32) -> Int32 {
        Int32(hash(key) & 0x7fff_ffff) % partitions
    }
}
