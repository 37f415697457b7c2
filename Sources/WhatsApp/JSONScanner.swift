/// One value, or one member name, of a scanned text.
struct JSONToken: Sendable {
    enum Kind: UInt8, Sendable {
        case object, array, string, number, `true`, `false`, null
    }

    /// Verbatim extent in the text, quotes and brackets included.
    var start: UInt32
    var end: UInt32
    /// Index of the token after this value and everything in it: a container is skipped in one step.
    var next: UInt32
    var kind: Kind
    /// A string with backslashes: its text is not its bytes.
    var hasEscapes: Bool
}

/// Validates a JSON text in one pass and lists its values in order: of an object, name and value by turns.
///
/// Strict RFC 8259 in strict UTF-8 (RFC 3629), iterative, so depth costs no stack. Nothing is decoded or copied. Half
/// surrogates in escapes are grammatical and pass; numbers keep any length.
///
/// Unsafe, as it looks at every byte of every body: the text exists within the `withUnsafeBytes` of the caller, every
/// load is checked against `end`, and nothing but offsets leaves.
struct JSONScanner {
    private let base: UnsafeRawPointer
    private let end: Int
    private let maxDepth: Int
    private var at = 0
    private var depth = 0
    private var tokens: JSONTokens.Writer

    /// One bit per open container says what it is, so the depth has a ceiling.
    static let depthCeiling = 128
    private var openObjects: UInt128 = 0
    /// The innermost open container; while open, a container's `next` names the one around it.
    private var innermost = 0

    /// Fills `list` with the tokens of `text`, which must be exactly one value, blanks around it and a byte order mark
    /// before it aside.
    static func scan(_ text: UnsafeRawBufferPointer, maxDepth: Int, into list: JSONTokens) throws(JSONError) {
        guard text.count < Int(UInt32.max) else { throw JSONError(.tooLong, at: 0) }
        guard let base = text.baseAddress else { throw JSONError(.empty, at: 0) }
        // Webhook bodies have a value or name for every 12 bytes; short texts are denser.
        var scanner = JSONScanner(
            base: base, end: text.count, maxDepth: min(maxDepth, depthCeiling),
            tokens: list.begin(expecting: text.count / 12 + 16))
        defer { list.end(scanner.tokens) }
        try scanner.run()
    }

    private init(base: UnsafeRawPointer, end: Int, maxDepth: Int, tokens: JSONTokens.Writer) {
        self.base = base
        self.end = end
        self.maxDepth = maxDepth
        self.tokens = tokens
    }

    @inline(__always)
    private func byte(_ offset: Int) -> UInt8 { base.load(fromByteOffset: offset, as: UInt8.self) }

    @inline(__always)
    private func fail(_ reason: JSONError.Reason) -> JSONError { JSONError(at < end ? reason : .truncated, at: at) }

    private mutating func run() throws(JSONError) {
        if end >= 3, byte(0) == 0xEF, byte(1) == 0xBB, byte(2) == 0xBF { at = 3 }
        skipBlanks()
        guard at < end else { throw JSONError(.empty, at: at) }
        repeat {
            try scanValue()
            try closeAndSeparate()
        } while depth > 0
        skipBlanks()
        guard at == end else { throw JSONError(.trailingBytes, at: at) }
    }

    /// One scalar, one empty container, or the opening of a container up to where its first value begins.
    private mutating func scanValue() throws(JSONError) {
        while true {
            guard at < end else { throw fail(.truncated) }
            switch byte(at) {
            case UInt8(ascii: "\""): return try scanString()
            case UInt8(ascii: "{"):
                try open(.object)
                if at < end, byte(at) == UInt8(ascii: "}") { return }
                try scanName()
            case UInt8(ascii: "["):
                try open(.array)
                if at < end, byte(at) == UInt8(ascii: "]") { return }
            case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try scanNumber()
            case UInt8(ascii: "t"): return try scanWord("true", .true)
            case UInt8(ascii: "f"): return try scanWord("false", .false)
            case UInt8(ascii: "n"): return try scanWord("null", .null)
            default: throw fail(.unexpectedByte)
            }
        }
    }

    /// After a value: closes what ends here, and stops where the next value begins or, at depth 0, the text may end.
    private mutating func closeAndSeparate() throws(JSONError) {
        while depth > 0 {
            skipBlanks()
            guard at < end else { throw fail(.truncated) }
            let inObject = openObjects & 1 == 1
            switch byte(at) {
            case UInt8(ascii: ","):
                at += 1
                skipBlanks()
                if inObject { try scanName() }
                return
            case UInt8(ascii: "}") where inObject, UInt8(ascii: "]") where !inObject: close()
            default: throw fail(.unexpectedByte)
            }
        }
    }

    private mutating func open(_ kind: JSONToken.Kind) throws(JSONError) {
        guard depth < maxDepth else { throw fail(.tooDeep) }
        depth += 1
        openObjects = openObjects << 1 | (kind == .object ? 1 : 0)
        let outer = innermost
        innermost = tokens.count
        tokens.append(JSONToken(start: UInt32(at), end: 0, next: UInt32(outer), kind: kind, hasEscapes: false))
        at += 1
        skipBlanks()
    }

    private mutating func close() {
        at += 1
        depth -= 1
        openObjects >>= 1
        innermost = tokens.close(innermost, at: at)
    }

    @inline(__always)
    private mutating func append(_ kind: JSONToken.Kind, from start: Int, hasEscapes: Bool = false) {
        let next = UInt32(tokens.count + 1)
        tokens.append(
            JSONToken(start: UInt32(start), end: UInt32(at), next: next, kind: kind, hasEscapes: hasEscapes))
    }

    @inline(__always)
    private mutating func skipBlanks() {
        // Most texts are compact: one comparison tells.
        while at < end, byte(at) <= 0x20 {
            switch byte(at) {
            case 0x20, 0x0A, 0x0D, 0x09: at += 1
            default: return
            }
        }
    }

    private mutating func scanName() throws(JSONError) {
        guard at < end, byte(at) == UInt8(ascii: "\"") else { throw fail(.unexpectedByte) }
        try scanString()
        skipBlanks()
        guard at < end, byte(at) == UInt8(ascii: ":") else { throw fail(.unexpectedByte) }
        at += 1
        skipBlanks()
    }

    private mutating func scanWord(_ word: StaticString, _ kind: JSONToken.Kind) throws(JSONError) {
        let start = at
        for index in 0..<word.utf8CodeUnitCount {
            guard at < end, byte(at) == word.utf8Start[index] else { throw fail(.unexpectedByte) }
            at += 1
        }
        append(kind, from: start)
    }
}

extension JSONScanner {
    private mutating func scanNumber() throws(JSONError) {
        let start = at
        if byte(at) == UInt8(ascii: "-") { at += 1 }
        let first = at
        try scanDigits()
        if byte(first) == UInt8(ascii: "0"), at > first + 1 { throw JSONError(.invalidNumber, at: first) }
        if at < end, byte(at) == UInt8(ascii: ".") {
            at += 1
            try scanDigits()
        }
        if at < end, byte(at) | 0x20 == UInt8(ascii: "e") {
            at += 1
            if at < end, byte(at) == UInt8(ascii: "+") || byte(at) == UInt8(ascii: "-") { at += 1 }
            try scanDigits()
        }
        append(.number, from: start)
    }

    /// One digit at least.
    private mutating func scanDigits() throws(JSONError) {
        let first = at
        while at < end, byte(at) &- UInt8(ascii: "0") < 10 { at += 1 }
        if at == first { throw fail(.invalidNumber) }
    }

    private mutating func scanString() throws(JSONError) {
        let start = at
        var hasEscapes = false
        at += 1
        while true {
            skipPlainText()
            guard at < end else { throw fail(.truncated) }
            let here = byte(at)
            if here == UInt8(ascii: "\"") {
                at += 1
                return append(.string, from: start, hasEscapes: hasEscapes)
            } else if here == UInt8(ascii: "\\") {
                hasEscapes = true
                try skipEscape()
            } else if here < 0x20 {
                throw fail(.controlCharacter)
            } else {
                try skipCharacter(leadByte: here)
            }
        }
    }

    /// Up to the next quote, backslash, control character or byte beyond ASCII; eight bytes at a time.
    ///
    /// Per byte the top bit of `found` is set for such a byte. The borrows of the subtractions can set bits above a
    /// true one, never below, so the lowest is right.
    @inline(__always)
    private mutating func skipPlainText() {
        let ones: UInt64 = 0x0101_0101_0101_0101
        while at + 8 <= end {
            let word = UInt64(littleEndian: base.loadUnaligned(fromByteOffset: at, as: UInt64.self))
            let quotes = word ^ (ones &* 0x22)
            let backslashes = word ^ (ones &* 0x5C)
            let controls = (word &- (ones &* 0x20)) & ~word
            let found =
                (controls | ((quotes &- ones) & ~quotes) | ((backslashes &- ones) & ~backslashes) | word)
                & (ones &* 0x80)
            if found != 0 {
                at += found.trailingZeroBitCount / 8
                return
            }
            at += 8
        }
        while at < end {
            let here = byte(at)
            if here == UInt8(ascii: "\"") || here == UInt8(ascii: "\\") || here < 0x20 || here >= 0x80 { return }
            at += 1
        }
    }

    private mutating func skipEscape() throws(JSONError) {
        at += 1
        guard at < end else { throw fail(.truncated) }
        switch byte(at) {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"), UInt8(ascii: "b"), UInt8(ascii: "f"),
            UInt8(ascii: "n"), UInt8(ascii: "r"), UInt8(ascii: "t"):
            at += 1
        case UInt8(ascii: "u"):
            at += 1
            for _ in 0..<4 {
                guard at < end, JSONText.hexDigit(byte(at)) != nil else { throw fail(.invalidEscape) }
                at += 1
            }
        default: throw fail(.invalidEscape)
        }
    }

    /// One character beyond ASCII, as the table of RFC 3629 section 4 has it: no overlong form, no surrogate, nothing
    /// past U+10FFFF.
    private mutating func skipCharacter(leadByte: UInt8) throws(JSONError) {
        let second: ClosedRange<UInt8>
        let length: Int
        switch leadByte {
        case 0xC2...0xDF: (second, length) = (0x80...0xBF, 2)
        case 0xE0: (second, length) = (0xA0...0xBF, 3)
        case 0xED: (second, length) = (0x80...0x9F, 3)
        case 0xE1...0xEF: (second, length) = (0x80...0xBF, 3)
        case 0xF0: (second, length) = (0x90...0xBF, 4)
        case 0xF1...0xF3: (second, length) = (0x80...0xBF, 4)
        case 0xF4: (second, length) = (0x80...0x8F, 4)
        default: throw fail(.invalidUTF8)
        }
        guard at + length <= end, second.contains(byte(at + 1)) else { throw JSONError(.invalidUTF8, at: at) }
        for offset in 2..<max(length, 2) where byte(at + offset) & 0xC0 != 0x80 {
            throw JSONError(.invalidUTF8, at: at)
        }
        at += length
    }
}
