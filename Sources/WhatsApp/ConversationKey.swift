/// Keys of the conversation topics: `<phone number id>:<user>`, the user being `group:<id>` for a group, else the
/// phone number in digits, else the business-scoped id, else the parent id.
public enum ConversationKey {
    public static func make(business: String, user: String) -> String { "\(business):\(user)" }

    /// A user given as phone number loses `+`, blanks, brackets and hyphens; anything else (a business-scoped id) stays
    /// as it is. Nil for blank text.
    public static func user(_ text: String) -> String? {
        user(ArraySlice(text.utf8)).map { String(decoding: $0, as: UTF8.self) }
    }

    static func user(_ text: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        if text.isEmpty { return nil }
        if text.allSatisfy(isDigit) { return text }
        let trimmed = text.drop(while: isBlank)
        let number = trimmed.first == UInt8(ascii: "+") ? trimmed.dropFirst() : trimmed
        if trimmed.isEmpty { return nil }
        guard number.allSatisfy({ isDigit($0) || isDecoration($0) }) else { return text }
        let digits = number.filter(isDigit)
        return digits.isEmpty ? text : digits[...]
    }

    static func isBlank(_ text: ArraySlice<UInt8>) -> Bool { text.allSatisfy(isBlank) }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
    private static func isDecoration(_ byte: UInt8) -> Bool {
        isBlank(byte) || byte == UInt8(ascii: "(") || byte == UInt8(ascii: ")") || byte == UInt8(ascii: "-")
    }
}
