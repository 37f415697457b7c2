/// Writes JSON text, compact and in the order of the calls.
///
///     let value = JSONWriter.object { value in
///         value.object("channel") { $0.member("name", "shop") }
///         value.rawMember("message", item.bytes)
///     }
public struct JSONWriter {
    public private(set) var bytes: [UInt8] = []
    private var needsComma = false

    private init(capacity: Int) { bytes.reserveCapacity(capacity) }

    /// The bytes of one object.
    public static func object(capacity: Int = 512, _ build: (inout JSONWriter) throws -> Void) rethrows -> [UInt8] {
        var writer = JSONWriter(capacity: capacity)
        try writer.nest("{", "}", build)
        return writer.bytes
    }

    /// The bytes of one array.
    public static func array(capacity: Int = 512, _ build: (inout JSONWriter) throws -> Void) rethrows -> [UInt8] {
        var writer = JSONWriter(capacity: capacity)
        try writer.nest("[", "]", build)
        return writer.bytes
    }

    // MARK: Members of an object

    public mutating func member(_ name: String, _ value: String) {
        self.name(name)
        write(value)
    }
    public mutating func member(_ name: String, _ value: Int64) {
        self.name(name)
        plain(value.description)
    }
    public mutating func member(_ name: String, _ value: Int) { member(name, Int64(value)) }
    public mutating func member(_ name: String, _ value: Bool) {
        self.name(name)
        plain(value ? "true" : "false")
    }
    /// Writes `null` for nil.
    public mutating func memberOrNull(_ name: String, _ value: String?) {
        guard let value else { return null(name) }
        member(name, value)
    }
    /// Writes nothing for nil.
    public mutating func memberIfPresent(_ name: String, _ value: String?) {
        if let value { member(name, value) }
    }
    /// Writes nothing for nil.
    public mutating func memberIfPresent(_ name: String, _ value: Int64?) {
        if let value { member(name, value) }
    }
    public mutating func null(_ name: String) {
        self.name(name)
        plain("null")
    }
    /// `value` must be valid JSON; it is copied as it is.
    public mutating func rawMember(_ name: String, _ value: ArraySlice<UInt8>) {
        self.name(name)
        bytes.append(contentsOf: value)
    }
    /// `value` must be valid JSON; it is copied as it is.
    public mutating func rawMember(_ name: String, _ value: [UInt8]) { rawMember(name, value[...]) }
    public mutating func object(_ name: String, _ build: (inout JSONWriter) throws -> Void) rethrows {
        self.name(name)
        try nest("{", "}", build)
    }
    public mutating func array(_ name: String, _ build: (inout JSONWriter) throws -> Void) rethrows {
        self.name(name)
        try nest("[", "]", build)
    }

    // MARK: Elements of an array

    public mutating func element(_ value: String) {
        separate()
        write(value)
    }
    public mutating func element(_ value: Int64) {
        separate()
        plain(value.description)
    }
    /// `value` must be valid JSON; it is copied as it is.
    public mutating func rawElement(_ value: ArraySlice<UInt8>) {
        separate()
        bytes.append(contentsOf: value)
    }
    public mutating func objectElement(_ build: (inout JSONWriter) throws -> Void) rethrows {
        separate()
        try nest("{", "}", build)
    }

    // MARK: Parts

    private mutating func nest(
        _ open: Unicode.Scalar, _ close: Unicode.Scalar, _ build: (inout JSONWriter) throws -> Void
    ) rethrows {
        bytes.append(UInt8(ascii: open))
        needsComma = false
        try build(&self)
        bytes.append(UInt8(ascii: close))
        needsComma = true
    }

    private mutating func separate() {
        if needsComma { bytes.append(UInt8(ascii: ",")) }
        needsComma = true
    }

    private mutating func name(_ name: String) {
        separate()
        write(name)
        bytes.append(UInt8(ascii: ":"))
    }

    private mutating func plain(_ text: String) { bytes.append(contentsOf: text.utf8) }

    private mutating func write(_ text: String) { Self.append(text, to: &bytes) }

    /// Appends `text` as a JSON string. Escapes what RFC 8259 section 7 demands and nothing else.
    static func append(_ text: String, to bytes: inout [UInt8]) {
        var text = text
        text.withUTF8 { append($0, to: &bytes) }
    }

    private static func append(_ text: UnsafeBufferPointer<UInt8>, to bytes: inout [UInt8]) {
        bytes.append(UInt8(ascii: "\""))
        if text.contains(where: needsEscape) {
            for byte in text { appendEscaped(byte, to: &bytes) }
        } else {
            bytes.append(contentsOf: text)
        }
        bytes.append(UInt8(ascii: "\""))
    }

    /// The same for text in UTF-8 bytes, of which each may take six.
    static func append(_ text: BorrowedBytes, to writer: inout ByteWriter) {
        writer.append(UInt8(ascii: "\""))
        if isPlain(text) {
            writer.append(text)
        } else {
            var escaped: [UInt8] = []
            for byte in text.raw { appendEscaped(byte, to: &escaped) }
            escaped.withUnsafeBytes { writer.append(BorrowedBytes($0)) }
        }
        writer.append(UInt8(ascii: "\""))
    }

    /// Whether nothing in it needs an escape; eight bytes at a time. What is below a byte that does may be taken for one,
    /// which only asks more closely.
    private static func isPlain(_ text: BorrowedBytes) -> Bool {
        let ones: UInt64 = 0x0101_0101_0101_0101
        var at = 0
        while at + 8 <= text.count {
            let word = text.start.loadUnaligned(fromByteOffset: at, as: UInt64.self)
            let quotes = word ^ (ones &* 0x22)
            let backslashes = word ^ (ones &* 0x5C)
            let found =
                ((word &- (ones &* 0x20)) & ~word) | ((quotes &- ones) & ~quotes) | ((backslashes &- ones) & ~backslashes)
            if found & (ones &* 0x80) != 0 { return false }
            at += 8
        }
        while at < text.count {
            if needsEscape(text[at]) { return false }
            at += 1
        }
        return true
    }

    private static func needsEscape(_ byte: UInt8) -> Bool {
        byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    private static func appendEscaped(_ byte: UInt8, to bytes: inout [UInt8]) {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes += [UInt8(ascii: "\\"), byte]
        case 0x0A: bytes += [UInt8(ascii: "\\"), UInt8(ascii: "n")]
        case 0x0D: bytes += [UInt8(ascii: "\\"), UInt8(ascii: "r")]
        case 0x09: bytes += [UInt8(ascii: "\\"), UInt8(ascii: "t")]
        case 0..<0x20:
            let hex = Array("0123456789abcdef".utf8)
            bytes += Array("\\u00".utf8) + [hex[Int(byte >> 4)], hex[Int(byte & 15)]]
        default: bytes.append(byte)
        }
    }
}
