import Crypto

/// Makes an event id from what identifies the event, so that the same event always gets the same id.
///
/// SHA-256 over the parts, each with its length before it (so that no two lists of parts read alike), cut to 128 bits
/// and written as 32 hex digits.
public struct IdentityHash {
    private var input: [UInt8] = []

    /// `kind` keeps ids of different kinds of events apart.
    public init(_ kind: String) {
        input.reserveCapacity(192)
        add(kind)
    }

    public mutating func add(_ part: String) {
        addLength(UInt64(part.utf8.count))
        input.append(contentsOf: part.utf8)
    }

    public mutating func add(_ part: ArraySlice<UInt8>) {
        addLength(UInt64(part.count))
        input.append(contentsOf: part)
    }

    public mutating func add(_ part: Int64) {
        addLength(8)
        addLength(UInt64(bitPattern: part))
    }

    /// A part that is not there; unlike an empty one.
    public mutating func addAbsent() { addLength(.max) }

    public func hex() -> String { String(decoding: hexBytes(), as: UTF8.self) }

    func hexBytes() -> [UInt8] {
        var hasher = SHA256()
        input.withUnsafeBytes { hasher.update(bufferPointer: $0) }
        return hasher.finalize().withUnsafeBytes { digest in
            [UInt8](unsafeUninitializedCapacity: 32) { text, count in
                for index in 0..<16 {
                    text[2 * index] = Self.digit(digest[index] >> 4)
                    text[2 * index + 1] = Self.digit(digest[index] & 15)
                }
                count = 32
            }
        }
    }

    private static func digit(_ value: UInt8) -> UInt8 {
        value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    private mutating func addLength(_ length: UInt64) {
        withUnsafeBytes(of: length.littleEndian) { input.append(contentsOf: $0) }
    }
}
