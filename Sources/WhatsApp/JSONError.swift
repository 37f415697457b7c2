/// Why a text is not JSON as we take it. Safe to log: it names a place, never what stands there.
public struct JSONError: Error, Sendable, Hashable, CustomStringConvertible {
    public enum Reason: String, Sendable, Hashable {
        case empty = "no value"
        case truncated = "the text ends inside a value"
        case unexpectedByte = "unexpected byte"
        case trailingBytes = "bytes after the value"
        case invalidUTF8 = "invalid UTF-8"
        case controlCharacter = "unescaped control character in a string"
        case invalidEscape = "invalid escape"
        case invalidNumber = "invalid number"
        case tooDeep = "nested too deeply"
        case tooLong = "text too long"
    }

    public let reason: Reason
    /// In bytes from the start of the text.
    public let offset: Int

    public init(_ reason: Reason, at offset: Int) {
        self.reason = reason
        self.offset = offset
    }

    public var description: String { "\(reason.rawValue) at byte \(offset)" }
}
