/// A validated JSON text with the list of its values. Shared by all views of it.
final class JSONText: Sendable {
    let bytes: [UInt8]
    let tokens: [JSONToken]

    init(_ bytes: [UInt8], maxDepth: Int) throws(JSONError) {
        self.bytes = bytes
        let list = JSONTokens()
        try bytes.span.bytes.withUnsafeBytes { text throws(JSONError) in
            try JSONScanner.scan(text, maxDepth: maxDepth, into: list)
        }
        tokens = withExtendedLifetime(list) { Array(list.scanned) }
    }

    static func hexDigit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        default: nil
        }
    }

    /// The text that a string's inside (without quotes) stands for. Half surrogates become U+FFFD.
    static func unescape(_ inside: some Sequence<UInt8>, keepingHalves: Bool = false) -> [UInt8] {
        var text: [UInt8] = []
        var units: [UInt16] = []
        var rest = inside.makeIterator()
        func flush() {
            if units.isEmpty { return }
            if keepingHalves {
                text.append(contentsOf: wtf8(units))
            } else {
                text.append(contentsOf: String(decoding: units, as: UTF16.self).utf8)
            }
            units.removeAll(keepingCapacity: true)
        }
        while let byte = rest.next() {
            guard byte == UInt8(ascii: "\\"), let escape = rest.next() else {
                flush()
                text.append(byte)
                continue
            }
            if escape == UInt8(ascii: "u") {
                var unit: UInt16 = 0
                for _ in 0..<4 { unit = unit << 4 | UInt16(rest.next().flatMap(hexDigit) ?? 0) }
                // Collected, because two of them may make one character.
                units.append(unit)
            } else {
                flush()
                text.append(plain(escape))
            }
        }
        flush()
        return text
    }

    /// UTF-8, in which half surrogates are written as if they were characters (WTF-8): no two texts are alike.
    private static func wtf8(_ units: [UInt16]) -> [UInt8] {
        var text: [UInt8] = []
        var at = 0
        while at < units.count {
            let isPair = UTF16.isLeadSurrogate(units[at]) && at + 1 < units.count && UTF16.isTrailSurrogate(units[at + 1])
            if isPair || !(0xD800...0xDFFF).contains(units[at]) {
                let end = at + (isPair ? 2 : 1)
                text.append(contentsOf: String(decoding: units[at..<end], as: UTF16.self).utf8)
                at = end
            } else {
                let half = units[at]
                text += [0xE0 | UInt8(half >> 12), 0x80 | UInt8(half >> 6 & 0x3F), 0x80 | UInt8(half & 0x3F)]
                at += 1
            }
        }
        return text
    }

    private static func plain(_ escape: UInt8) -> UInt8 {
        switch escape {
        case UInt8(ascii: "b"): 0x08
        case UInt8(ascii: "f"): 0x0C
        case UInt8(ascii: "n"): 0x0A
        case UInt8(ascii: "r"): 0x0D
        case UInt8(ascii: "t"): 0x09
        default: escape
        }
    }
}

/// A view of one value in a validated JSON text.
///
/// Making it reads the text once and builds no tree; looking up walks the value's own members. Bytes stay as they
/// came: `bytes` of any view is the verbatim slice.
public struct JSON: Sendable {
    public enum Kind: Sendable, Hashable {
        case object, array, string, number, bool, null
    }

    private let text: JSONText
    private let index: Int

    private init(_ text: JSONText, _ index: Int) {
        self.text = text
        self.index = index
    }

    /// Takes exactly one value of strict RFC 8259 in strict UTF-8, blanks around it allowed, a byte order mark before
    /// it skipped (section 8.1), containers nested up to `maxDepth` (at most 128). The default is more than a webhook
    /// body may have, because records wrap what came in one.
    public init(parsing bytes: [UInt8], maxDepth: Int = 96) throws(JSONError) {
        self.init(try JSONText(bytes, maxDepth: maxDepth), 0)
    }

    private var token: JSONToken { text.tokens[index] }

    public var kind: Kind {
        switch token.kind {
        case .object: .object
        case .array: .array
        case .string: .string
        case .number: .number
        case .true, .false: .bool
        case .null: .null
        }
    }

    /// The value as it stands in the text.
    public var bytes: ArraySlice<UInt8> { text.bytes[Int(token.start)..<Int(token.end)] }

    /// The member of that name; of several the last. Nil when there is none or this is not an object.
    public subscript(_ member: String) -> JSON? {
        var found: JSON?
        forEachMemberToken { name, value in
            if text.stringEquals(name, member) { found = value }
        }
        return found
    }

    /// The text of a string, escapes resolved; half surrogates become U+FFFD.
    public var string: String? {
        token.kind == .string ? text.string(token) : nil
    }

    /// The value of a number written without fraction and exponent that fits; nil for anything else.
    public var integer: Int64? {
        guard token.kind == .number else { return nil }
        return Int64(String(decoding: bytes, as: UTF8.self))
    }

    public var bool: Bool? {
        switch token.kind {
        case .true: true
        case .false: false
        default: nil
        }
    }

    /// A text with backslashes: its bytes are not what it stands for.
    var hasEscapes: Bool { token.hasEscapes }

    public var isNull: Bool { token.kind == .null }

    /// The elements of an array; of anything else none.
    public var elements: [JSON] {
        guard token.kind == .array else { return [] }
        var elements: [JSON] = []
        var at = index + 1
        while at < token.next {
            elements.append(JSON(text, at))
            at = Int(text.tokens[at].next)
        }
        return elements
    }

    /// Calls `body` with each member of an object in order, duplicates included.
    public func forEachMember(_ body: (_ name: String, _ value: JSON) throws -> Void) rethrows {
        try forEachMemberToken { name, value in try body(text.string(name), value) }
    }

    private func forEachMemberToken(_ body: (JSONToken, JSON) throws -> Void) rethrows {
        guard token.kind == .object else { return }
        var at = index + 1
        while at < token.next {
            try body(text.tokens[at], JSON(text, at + 1))
            at = Int(text.tokens[at + 1].next)
        }
    }
}

extension JSONText {
    private func inside(_ token: JSONToken) -> ArraySlice<UInt8> { bytes[Int(token.start) + 1..<Int(token.end) - 1] }

    func string(_ token: JSONToken) -> String {
        let inside = inside(token)
        return String(decoding: token.hasEscapes ? Self.unescape(inside)[...] : inside, as: UTF8.self)
    }

    func stringEquals(_ token: JSONToken, _ text: String) -> Bool {
        let inside = inside(token)
        if token.hasEscapes { return Self.unescape(inside).elementsEqual(text.utf8) }
        guard inside.count == text.utf8.count else { return false }
        // Bytes beside bytes; step by step for the rare text that lies elsewhere.
        return text.utf8.withContiguousStorageIfAvailable { text in
            inside.withUnsafeBytes { BorrowedBytes($0) == BorrowedBytes(UnsafeRawBufferPointer(text)) }
        } ?? inside.elementsEqual(text.utf8)
    }
}
