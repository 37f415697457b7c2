import Crypto

/// Makes an event id from what identifies the event, so that the same event always gets the same id.
///
/// SHA-256 over the parts, each with its length before it (so that no two lists of parts read alike), cut to 128 bits
/// and written as 32 hex digits.
public struct IdentityHash {
    private var input: [UInt8] = []
    /// Memory that is kept for the next id.
    private static let keptCapacity = 4 << 10

    /// `kind` keeps ids of different kinds of events apart.
    public init(_ kind: StaticString) {
        input.reserveCapacity(192)
        add(BorrowedBytes(kind))
    }

    /// Begins another id in the same memory.
    mutating func restart(_ kind: StaticString) {
        input.removeAll(keepingCapacity: input.capacity <= Self.keptCapacity)
        add(BorrowedBytes(kind))
    }

    public mutating func add(_ part: String) {
        addLength(UInt64(part.utf8.count))
        input.append(contentsOf: part.utf8)
    }

    public mutating func add(_ part: ArraySlice<UInt8>) { part.withUnsafeBytes { add(BorrowedBytes($0)) } }

    mutating func add(_ part: BorrowedBytes) {
        addLength(UInt64(part.count))
        input.append(contentsOf: part.raw)
    }

    public mutating func add(_ part: Int64) {
        addLength(8)
        addLength(UInt64(bitPattern: part))
    }

    /// A part that is not there; unlike an empty one.
    public mutating func addAbsent() { addLength(.max) }

    public func hex() -> String {
        String(decoding: [UInt8](capacity: Self.length) { writeHex(to: &$0) }, as: UTF8.self)
    }

    /// Of an id, in digits.
    private static let length = 32

    private func writeHex(to text: inout ByteWriter) {
        var hasher = SHA256()
        input.withUnsafeBytes { hasher.update(bufferPointer: $0) }
        hasher.finalize().withUnsafeBytes { digest in
            for at in stride(from: 0, to: Self.length / 2, by: 4) {
                let number = UInt32(bigEndian: digest.loadUnaligned(fromByteOffset: at, as: UInt32.self))
                text.append(HexDigits.text(number))
            }
        }
    }

    /// The same, kept in `arena`.
    func hex(in arena: ByteArena) -> BorrowedBytes { arena.write(limit: Self.length) { writeHex(to: &$0) } }

    private mutating func addLength(_ length: UInt64) {
        withUnsafeBytes(of: length.littleEndian) { input.append(contentsOf: $0) }
    }
}
