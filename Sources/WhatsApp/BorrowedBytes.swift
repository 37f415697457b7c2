/// Bytes that somebody else keeps: a piece of the body, of the channel's setup, or of a `ByteArena`.
///
/// The webhook splitter passes text around in this form, because a slice of an array costs a reference count at every
/// step and this costs nothing. Nothing checks that the keeper is still there either: such a value must not outlive the
/// call it was made for. It never leaves `WebhookSplitter`, whose `split` holds all three keepers.
struct BorrowedBytes: Hashable {
    let start: UnsafeRawPointer
    let count: Int

    @inline(__always)
    init(start: UnsafeRawPointer, count: Int) {
        self.start = start
        self.count = count
    }

    init(_ bytes: UnsafeRawBufferPointer) {
        // An empty array may have no address; nothing is ever read from this one.
        self.init(start: bytes.baseAddress ?? UnsafeRawPointer(bitPattern: 1)!, count: bytes.count)
    }

    @inline(__always)
    init(_ text: StaticString) { self.init(start: UnsafeRawPointer(text.utf8Start), count: text.utf8CodeUnitCount) }

    var raw: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: start, count: count) }
    var isEmpty: Bool { count == 0 }

    @inline(__always)
    subscript(at: Int) -> UInt8 {
        assert(at >= 0 && at < count)
        return start.load(fromByteOffset: at, as: UInt8.self)
    }

    func dropFirst(_ bytes: Int) -> BorrowedBytes {
        precondition(bytes <= count)
        return BorrowedBytes(start: start + bytes, count: count - bytes)
    }

    @inline(__always)
    func allSatisfy(_ predicate: (UInt8) -> Bool) -> Bool {
        for at in 0..<count where !predicate(self[at]) { return false }
        return true
    }

    func starts(with prefix: BorrowedBytes) -> Bool {
        count >= prefix.count && Self.areSame(start, prefix.start, prefix.count)
    }

    @inline(__always)
    static func == (a: BorrowedBytes, b: BorrowedBytes) -> Bool {
        a.count == b.count && areSame(a.start, b.start, a.count)
    }

    /// Compares with text known when this is compiled: a few comparisons of whole words.
    @inline(__always)
    static func == (a: BorrowedBytes, b: StaticString) -> Bool { a == BorrowedBytes(b) }

    @inline(__always)
    static func ~= (pattern: StaticString, bytes: BorrowedBytes) -> Bool { bytes == pattern }

    func hash(into hasher: inout Hasher) { hasher.combine(bytes: raw) }

    @inline(__always)
    private static func areSame(_ a: UnsafeRawPointer, _ b: UnsafeRawPointer, _ count: Int) -> Bool {
        func same<Word: FixedWidthInteger & BitwiseCopyable>(_ at: Int, _: Word.Type) -> Bool {
            a.loadUnaligned(fromByteOffset: at, as: Word.self) == b.loadUnaligned(fromByteOffset: at, as: Word.self)
        }
        var at = 0
        while at + 8 <= count {
            if !same(at, UInt64.self) { return false }
            at += 8
        }
        if at + 4 <= count {
            if !same(at, UInt32.self) { return false }
            at += 4
        }
        while at < count {
            if !same(at, UInt8.self) { return false }
            at += 1
        }
        return true
    }
}

extension Array<UInt8> {
    init(_ bytes: BorrowedBytes) { self.init(bytes.raw) }
}
