import EventLog
import EventLogTesting
import Testing

@Suite struct HeadersTests {
    @Test func keepsOrderRepeatsNullsAndAnyBytes() {
        let list = [
            Header("a", [0, 255, 10, 13]), Header("b", nil as [UInt8]?), Header("a", [] as [UInt8]), Header("", "nameless"),
            Header("größe", "ß"), Header("all", Array(0...255)),
        ]
        let headers = Headers(list)
        #expect(Array(headers) == list)
        #expect(Headers(packed: headers.packed) == headers)
        #expect(Headers(packed: headers.packed).map(Array.init) == list)
    }

    @Test func writtenHeadersAreThoseThatAreAppended() {
        let values: [[UInt8]] = [[], [0, 255], Array(repeating: 7, count: 70_000)]
        var appended = Headers()
        for value in values { appended.append("name", value[...]) }
        let size = values.reduce(0) { $0 + Headers.packedSize("name", $1.count) }
        let written = Headers(capacity: size) { headers in
            for value in values { value.withUnsafeBytes { headers.append("name", $0) } }
        }
        #expect(written == appended)
        #expect(written.packed.count == size)
        #expect(Headers(packed: written.packed) == written)
    }

    @Test func noHeadersAreNoBytes() {
        #expect(Headers().packed == [])
        #expect(Headers().isEmpty)
        #expect(Headers(packed: []) == Headers())
        #expect(Array(Headers()) == [])
    }

    @Test func theLastValueOfANameCounts() {
        let headers = Headers([Header("x", "1"), Header("y", "2"), Header("x", "3"), Header("n", nil as [UInt8]?)])
        #expect(headers.string("x") == "3")
        #expect(headers["y"] == Array("2".utf8))
        #expect(headers["n"] == nil)
        #expect(headers["z"] == nil)
        #expect(Headers([Header("x", "1"), Header("x", nil as [UInt8]?)])["x"] == nil)
    }

    @Test func bytesThatAreNotTextAreReplaced() {
        #expect(Headers([Header("x", [0x61, 0xff])]).string("x") == "a\u{fffd}")
    }

    @Test func namesUpToTheLimitFit() {
        let name = String(repeating: "n", count: 65_535)
        #expect(Headers([Header(name, "v")]).string(name) == "v")
    }

    /// What is cut off is damaged, wherever the cut falls but between two headers.
    @Test func everyCutIsNoticed() {
        let list = [Header("one", "1234567"), Header("two", nil as [UInt8]?), Header("three", [])]
        let packed = Headers(list).packed
        let whole = Set(list.indices.map { Headers(Array(list[...$0])).packed.count } + [0])
        for length in 0...packed.count {
            #expect((Headers(packed: Array(packed[..<length])) != nil) == whole.contains(length), "\(length)")
        }
    }

    @Test(arguments: [
        [0], [1, 0, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0xfe, 0xff, 0xff, 0xff], [0, 0, 0, 0, 0, 0x80],
        [0xff, 0xff, 0xff, 0xff, 0xff, 0x7f], [0, 0, 0xff, 0xff, 0xff, 0x7f, 1, 2, 3],
    ] as [[UInt8]])
    func lengthsThatLieAreNoticed(packed: [UInt8]) {
        #expect(Headers(packed: packed) == nil)
    }

    @Test(arguments: UInt64(1)...100) func noiseIsRefusedOrReadInFull(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var noise = random.bytes(Int.random(in: 0...40, using: &random))
        // Small numbers make lengths that may fit.
        for index in noise.indices where Bool.random(using: &random) { noise[index] &= 3 }
        guard let headers = Headers(packed: noise) else { return }
        let read = headers.reduce(0) { $0 + 6 + $1.name.utf8.count + ($1.value?.count ?? 0) }
        // A name that is not UTF-8 is longer as text.
        #expect(read >= noise.count)
    }

    /// On either side of the size up to which they are written on the stack.
    @Test(arguments: [0, 1, 2, 1_023, 1_024, 1_025, 100_000])
    func anArrayHoldsWhatWasWrittenAndNoMore(limit: Int) {
        for count in Set([0, limit / 2, limit]) {
            let bytes = [UInt8](written: limit) { memory in
                for at in 0..<count { memory.storeBytes(of: UInt8(truncatingIfNeeded: at), toByteOffset: at, as: UInt8.self) }
                return count
            }
            #expect(bytes == (0..<count).map { UInt8(truncatingIfNeeded: $0) })
        }
    }
}
