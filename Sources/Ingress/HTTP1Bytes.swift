/// What single bytes mean in HTTP/1.1 (RFC 9110, 5.6; RFC 9112, 2).
extension UInt8 {
    static let tab: UInt8 = 0x09
    static let lineFeed: UInt8 = 0x0A
    static let carriageReturn: UInt8 = 0x0D
    static let space: UInt8 = 0x20

    /// A character of a token: of a method or a header's name.
    @inline(__always)
    var isTokenCharacter: Bool {
        // One bit per ASCII character: !#$%&'*+-.^_`|~, digits, letters.
        let low: UInt64 = 0x03FF_6CFA_0000_0000
        let high: UInt64 = 0x57FF_FFFF_C7FF_FFFE
        if self >= 0x80 { return false }
        return (self < 64 ? low >> UInt64(self) : high >> UInt64(self & 63)) & 1 == 1
    }

    /// A visible ASCII character.
    @inline(__always)
    var isVisible: Bool { self > 0x20 && self < 0x7F }

    @inline(__always)
    var isBlank: Bool { self == .space || self == .tab }

    var hexDigitValue: Int? {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): Int(self - UInt8(ascii: "0"))
        case UInt8(ascii: "a")...UInt8(ascii: "f"): Int(self - UInt8(ascii: "a")) + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): Int(self - UInt8(ascii: "A")) + 10
        default: nil
        }
    }
}

/// Every access is checked against the span's bounds: bytes from outside are read nowhere else.
extension RawSpan {
    @inline(__always)
    subscript(_ at: Int) -> UInt8 { unsafeLoad(fromByteOffset: at, as: UInt8.self) }

    /// The first byte from `start` on that is below 0x20 or is DEL, or the end. Eight bytes at a time.
    ///
    /// The top bit of each byte of `found` says that it is one. The borrow of a subtraction can set a bit above a true
    /// one, never below it, so the lowest is right.
    @inline(__always)
    func firstControl(from start: Int) -> Int {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var at = start
        while at + 8 <= byteCount {
            let word = UInt64(littleEndian: unsafeLoadUnaligned(fromByteOffset: at, as: UInt64.self))
            let deletes = word ^ (ones &* 0x7F)
            let found =
                (((word &- (ones &* 0x20)) & ~word) | ((deletes &- ones) & ~deletes)) & (ones &* 0x80)
            if found != 0 { return at + found.trailingZeroBitCount / 8 }
            at += 8
        }
        while at < byteCount, self[at] >= 0x20, self[at] != 0x7F { at += 1 }
        return at
    }

    /// Whether the bytes are `token`, given in lower case, without regard to the case of ASCII letters.
    func isSameToken(_ range: Range<Int>, as token: StaticString) -> Bool {
        guard range.count == token.utf8CodeUnitCount else { return false }
        for offset in 0..<range.count {
            if self[range.lowerBound + offset].asciiLowercased != token.utf8Start[offset] { return false }
        }
        return true
    }

    func isEqual(_ range: Range<Int>, to text: StaticString) -> Bool {
        guard range.count == text.utf8CodeUnitCount else { return false }
        for offset in 0..<range.count where self[range.lowerBound + offset] != text.utf8Start[offset] { return false }
        return true
    }

    /// The range without blanks and tabs at either end.
    func trimmed(_ range: Range<Int>) -> Range<Int> {
        var (start, end) = (range.lowerBound, range.upperBound)
        while start < end, self[start].isBlank { start += 1 }
        while end > start, self[end - 1].isBlank { end -= 1 }
        return start..<end
    }

    func copy(_ range: Range<Int>) -> [UInt8] {
        extracting(range).withUnsafeBytes { Array($0) }
    }
}

extension UInt8 {
    @inline(__always)
    var asciiLowercased: UInt8 { self &- UInt8(ascii: "A") < 26 ? self | 0x20 : self }
}
