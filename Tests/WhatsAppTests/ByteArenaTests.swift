import Testing

@testable import WhatsApp

@Suite struct ByteArenaTests {
    private static func text(_ bytes: BorrowedBytes) -> String { String(decoding: bytes.raw, as: UTF8.self) }

    @Test func keepsEverythingUntilItIsReleased() {
        let arena = ByteArena(firstBlockBytes: 64)
        defer { arena.free() }
        // Small and large by turns, so that blocks are begun in the middle of it.
        let texts = (0..<300).map { String(repeating: "\($0) ", count: $0 % 7 == 0 ? 5_000 : $0 % 40) }
        let kept = texts.map(arena.keep)
        #expect(kept.map(Self.text) == texts)
    }

    @Test func releasesWhatCameAfterTheMarkAndNothingElse() {
        let arena = ByteArena(firstBlockBytes: 64)
        defer { arena.free() }
        let first = arena.keep("first")
        for round in 0..<50 {
            let mark = arena.mark
            defer { arena.release(to: mark) }
            let second = arena.keep("second \(round)")
            let inner = arena.mark
            for size in [1, 100, 20_000, 40_000] { _ = arena.keep(String(repeating: "x", count: size)) }
            arena.release(to: inner)
            #expect(Self.text(arena.keep("third")) == "third")
            #expect(Self.text(second) == "second \(round)")
        }
        #expect(Self.text(first) == "first")
        // The same place again: what was released is used anew.
        let mark = arena.mark
        let once = arena.keep("a").start
        arena.release(to: mark)
        #expect(arena.keep("b").start == once)
    }

    @Test func comparesAtEveryLengthAndPlace() {
        let arena = ByteArena()
        defer { arena.free() }
        let letters = String((0..<40).map { Character(Unicode.Scalar(UInt8(65 + $0))) })
        for count in 0...40 {
            let text = String(letters.prefix(count))
            #expect(arena.keep(text) == arena.keep(text))
            for place in 0..<count {
                var other = Array(text.utf8)
                other[place] ^= 0x80
                #expect(arena.keep(other) != arena.keep(text), "\(count), \(place)")
            }
        }
        #expect(arena.keep("recipient_id") == "recipient_id")
        #expect(!(arena.keep("recipient_ix") == "recipient_id") && !(arena.keep("recipient_i") == "recipient_id"))
    }

    @Test func aWriterEndsTheProcessBeforeItWritesPastTheEnd() async {
        await #expect(processExitsWith: .failure) {
            _ = [UInt8](capacity: 3) { $0.append("four") }
        }
    }
}
