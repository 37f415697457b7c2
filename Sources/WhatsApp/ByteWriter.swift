/// Writes pieces one behind the other into memory of a known size: a copy each, and no look at an array between them.
///
/// More than fits is a programming error and ends the process; it never writes past the end.
struct ByteWriter {
    private let start: UnsafeMutableRawPointer
    private let capacity: Int
    private(set) var count = 0

    /// The memory must stay where it is until the writer is done.
    init(start: UnsafeMutableRawPointer, capacity: Int) {
        self.start = start
        self.capacity = capacity
    }

    @inline(__always)
    private mutating func take(_ bytes: Int) -> UnsafeMutableRawPointer {
        precondition(bytes <= capacity - count, "more is written than was reckoned with")
        defer { count += bytes }
        return start + count
    }

    @inline(__always)
    mutating func append(_ bytes: BorrowedBytes) {
        take(bytes.count).copyMemory(from: bytes.start, byteCount: bytes.count)
    }

    @inline(__always)
    mutating func append(_ text: StaticString) { append(BorrowedBytes(text)) }

    @inline(__always)
    mutating func append(_ byte: UInt8) { take(1).storeBytes(of: byte, as: UInt8.self) }

    /// Eight bytes, the lowest first.
    @inline(__always)
    mutating func append(_ word: UInt64) { take(8).storeBytes(of: word.littleEndian, as: UInt64.self) }

    /// What a function writes by itself, at most `limit` bytes; it answers how many.
    mutating func append(limit: Int, _ write: (UnsafeMutableRawPointer) -> Int) {
        let place = take(limit)
        let written = write(place)
        precondition(written <= limit)
        count -= limit - written
    }
}

extension Array<UInt8> {
    /// An array in one allocation; `capacity` bytes at most are written.
    init(capacity: Int, _ write: (inout ByteWriter) -> Void) {
        self.init(written: capacity) { start in
            var writer = ByteWriter(start: start, capacity: capacity)
            write(&writer)
            return writer.count
        }
    }
}
