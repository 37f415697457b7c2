import EventLog
import Testing

@Suite struct Murmur2Tests {
    /// The first seven are the vectors of Kafka's own `UtilsTest.testMurmur2`; the others were computed with Java and
    /// cover every tail length, no bytes at all, and bytes above 127, where a sign would show.
    static let vectors: [(key: [UInt8], hash: Int32)] = [
        (Array("21".utf8), -973_932_308),
        (Array("foobar".utf8), -790_332_482),
        (Array("a-little-bit-long-string".utf8), -985_981_536),
        (Array("a-little-bit-longer-string".utf8), -1_486_304_829),
        (Array("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8".utf8), -58_897_971),
        (Array("abc".utf8), 479_470_107),
        ([12, 42, 56, 24, 109, 111], 274_204_207),
        ([], 275_646_681),
        (Array("a".utf8), -1_563_381_124),
        (Array("1061234567890:4915112345678".utf8), -161_384_886),
        (Array("Grüße".utf8), 1_190_824_359),
        (Array("日本語".utf8), 1_431_860_170),
        ([255, 254, 128, 0, 200], 1_304_654_196),
        (Array(0...255), -1_948_347_274),
    ]

    @Test(arguments: vectors) func hashesAsJavaDoes(key: [UInt8], hash: Int32) {
        #expect(Int32(bitPattern: Murmur2.hash(key)) == hash)
    }

    /// `toPositive(murmur2(key)) % partitions`, computed with Java.
    @Test(arguments: [
        ("21", 12, 0), ("foobar", 12, 6), ("a-little-bit-long-string", 12, 8), ("a-little-bit-longer-string", 12, 11),
        ("abc", 12, 3), ("", 12, 9), ("1061234567890:4915112345678", 12, 2), ("Grüße", 12, 3), ("日本語", 12, 10),
        ("21", 7, 3), ("foobar", 7, 0), ("abc", 7, 4), ("abc", 1, 0),
    ] as [(String, Int32, Int32)])
    func choosesThePartitionThatJavaChooses(key: String, partitions: Int32, partition: Int32) {
        #expect(Murmur2.partition(of: Array(key.utf8), partitions: partitions) == partition)
    }

    @Test func hashesASliceWhereverItBegins() {
        let bytes = Array("xxxfoobar".utf8)
        let hash = bytes.withUnsafeBytes { Murmur2.hash(UnsafeRawBufferPointer(rebasing: $0[3...])) }
        #expect(Int32(bitPattern: hash) == -790_332_482)
    }
}
