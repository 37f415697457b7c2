/// One record header. Kafka allows any bytes as value, and null; names may repeat and keep their order.
public struct Header: Sendable, Hashable {
    public var name: String
    public var value: [UInt8]?

    public init(_ name: String, _ value: [UInt8]?) {
        self.name = name
        self.value = value
    }
    public init(_ name: String, _ value: String) {
        self.init(name, Array(value.utf8))
    }
}

/// The headers of one record, in order, packed in one buffer.
///
/// A record carries about a dozen headers; as an array of pairs they would cost two allocations each, twice per record.
/// The packed form costs one, is what the embedded log stores, and is walked without copying by `forEachRaw`.
///
/// Layout per header: name length (UInt16), value length (Int32, -1 for null), name, value; integers little-endian.
public struct Headers: Sendable, Hashable {
    /// The packed form. Only `init(packed:)` and the appending methods make it, so it is always well formed.
    public private(set) var packed: [UInt8]

    public init() { packed = [] }

    public init(_ headers: [Header]) {
        self.init()
        for header in headers { append(header) }
    }

    /// Takes a packed form back, e.g. from storage. Nil when it is damaged.
    public init?(packed: [UInt8]) {
        self.packed = packed
        guard isWellFormed else { return nil }
    }

    public var isEmpty: Bool { packed.isEmpty }

    public mutating func reserveCapacity(_ bytes: Int) { packed.reserveCapacity(bytes) }

    public mutating func append(_ header: Header) {
        append(name: header.name.utf8, value: header.value)
    }

    public mutating func append(_ name: String, _ value: String) {
        append(name: name.utf8, value: value.utf8)
    }

    /// The same from text in bytes, e.g. a slice of a body.
    public mutating func append(_ name: String, _ value: ArraySlice<UInt8>) {
        append(name: name.utf8, value: value)
    }

    /// Appends headers made before, e.g. those that many records share, in one copy.
    public mutating func append(_ headers: Headers) {
        packed.append(contentsOf: headers.packed)
    }

    /// Appends a header from any bytes; a nil value is Kafka's null.
    ///
    /// Names over 65,535 bytes are a programming error: Millrace's own names are short, and the logs refuse longer ones.
    public mutating func append(name: some Collection<UInt8>, value: (some Collection<UInt8>)?) {
        precondition(name.count <= Int(UInt16.max), "header name too long")
        appendLengths(UInt16(name.count), value.map { Int32($0.count) } ?? -1)
        packed.append(contentsOf: name)
        if let value { packed.append(contentsOf: value) }
    }

    /// Last value of a header of that name. Nil when there is none or its value is null.
    public subscript(name: String) -> [UInt8]? {
        var found: [UInt8]?
        let wanted = Array(name.utf8)
        forEachRaw { name, value in
            if name.elementsEqual(wanted) { found = value.map(Array.init) }
        }
        return found
    }

    /// The last value of that name as text; bytes that are not UTF-8 are replaced.
    public func string(_ name: String) -> String? {
        self[name].map { String(decoding: $0, as: UTF8.self) }
    }

    /// Calls `body` with each name and value in order. The buffers must not escape.
    public func forEachRaw(_ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer?) -> Void) {
        packed.withUnsafeBytes { all in
            var at = 0
            while let (name, value, next) = Self.entry(in: all, at: at) {
                body(UnsafeRawBufferPointer(rebasing: all[name]), value.map { UnsafeRawBufferPointer(rebasing: all[$0]) })
                at = next
            }
        }
    }

    private var isWellFormed: Bool {
        packed.withUnsafeBytes { all in
            var at = 0
            while at < all.count {
                guard let (_, _, next) = Self.entry(in: all, at: at) else { return false }
                at = next
            }
            return true
        }
    }

    private static func entry(in all: UnsafeRawBufferPointer, at: Int) -> (Range<Int>, Range<Int>?, Int)? {
        let names = at + 6
        guard names <= all.count else { return nil }
        let nameLength = Int(UInt16(littleEndian: all.loadUnaligned(fromByteOffset: at, as: UInt16.self)))
        let valueLength = Int(Int32(littleEndian: all.loadUnaligned(fromByteOffset: at + 2, as: Int32.self)))
        let values = names + nameLength
        guard valueLength >= -1, values + Swift.max(valueLength, 0) <= all.count else { return nil }
        if valueLength < 0 { return (names..<values, nil, values) }
        return (names..<values, values..<values + valueLength, values + valueLength)
    }

    /// The same from bytes that lie elsewhere, e.g. in a library's memory; a nil value is Kafka's null.
    public mutating func append(rawName name: UnsafeRawBufferPointer, rawValue value: UnsafeRawBufferPointer?) {
        precondition(name.count <= Int(UInt16.max), "header name too long")
        appendLengths(UInt16(name.count), value.map { Int32($0.count) } ?? -1)
        packed.append(contentsOf: name)
        if let value { packed.append(contentsOf: value) }
    }

    /// Both at once: records are made by the thousand, with a dozen headers each.
    private mutating func appendLengths(_ name: UInt16, _ value: Int32) {
        let lengths = UInt64(name) | UInt64(UInt32(bitPattern: value)) << 16
        withUnsafeBytes(of: lengths.littleEndian) {
            packed.append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[0..<6]))
        }
    }
}

extension Headers {
    /// Headers written one behind the other into one allocation: for who makes records by the thousand.
    ///
    /// - Parameter capacity: bytes at least as many as `packedSize` of all of them. More is a programming error and ends
    ///   the process.
    @inlinable
    public init(capacity: Int, _ write: (inout Writer) -> Void) {
        self.init(
            written: [UInt8](written: capacity) { start in
                var writer = Writer(start: start, capacity: capacity)
                write(&writer)
                return writer.count
            })
    }

    /// Well formed, because a writer has made it.
    @usableFromInline
    init(written: [UInt8]) { packed = written }

    /// Bytes that a header takes.
    @inlinable
    public static func packedSize(_ name: StaticString, _ value: Int) -> Int { 6 + name.utf8CodeUnitCount + value }

    public struct Writer {
        @usableFromInline let start: UnsafeMutableRawPointer
        @usableFromInline let capacity: Int
        @usableFromInline var count = 0

        @usableFromInline
        init(start: UnsafeMutableRawPointer, capacity: Int) {
            self.start = start
            self.capacity = capacity
        }

        /// Appends a header; its value must not be null.
        @inlinable
        public mutating func append(_ name: StaticString, _ value: UnsafeRawBufferPointer) {
            let nameLength = name.utf8CodeUnitCount
            precondition(
                nameLength <= Int(UInt16.max) && value.count <= Int(Int32.max)
                    && 6 + nameLength + value.count <= capacity - count, "more headers than were reckoned with")
            let at = start + count
            at.storeBytes(of: UInt16(truncatingIfNeeded: nameLength).littleEndian, as: UInt16.self)
            at.storeBytes(of: Int32(truncatingIfNeeded: value.count).littleEndian, toByteOffset: 2, as: Int32.self)
            (at + 6).copyMemory(from: name.utf8Start, byteCount: nameLength)
            if let from = value.baseAddress { (at + 6 + nameLength).copyMemory(from: from, byteCount: value.count) }
            count += 6 + nameLength + value.count
        }
    }
}

extension Headers: Sequence {
    public func makeIterator() -> IndexingIterator<[Header]> {
        var headers: [Header] = []
        forEachRaw { name, value in
            headers.append(Header(String(decoding: name, as: UTF8.self), value.map(Array.init)))
        }
        return headers.makeIterator()
    }
}
