/// Keys of the conversation topics: `<phone number id>:<user>`, the user being `group:<id>` for a group, else the
/// phone number in digits, else the business-scoped id, else the parent id.
public enum ConversationKey {
    public static func make(business: String, user: String) -> String { "\(business):\(user)" }

    /// The business part of a key: `phone_number_id`, or the channel's name where that is not known.
    public static func business(of key: String) -> String {
        String(decoding: key.utf8.prefix { $0 != UInt8(ascii: ":") }, as: UTF8.self)
    }

    /// The user part of a key; of a key that is not the business's own, everything behind the first colon.
    static func user(of key: String, business: String) -> String {
        // In bytes: what follows the colon could combine with it to another character.
        let bytes = key.utf8
        let separator = UInt8(ascii: ":")
        let own = bytes.starts(with: business.utf8) ? bytes.dropFirst(business.utf8.count) : bytes[...]
        let rest = own.first == separator ? own : bytes.drop { $0 != separator }
        return rest.isEmpty ? key : String(decoding: rest.dropFirst(), as: UTF8.self)
    }

    static func make(_ business: BorrowedBytes, _ user: BorrowedBytes, isGroup: Bool = false) -> [UInt8] {
        [UInt8](capacity: business.count + user.count + 7) { key in
            key.append(business)
            key.append(UInt8(ascii: ":"))
            if isGroup { key.append("group:") }
            key.append(user)
        }
    }

    /// A user given as phone number loses `+`, blanks, brackets and hyphens; anything else (a business-scoped id) stays
    /// as it is. Nil for blank text.
    public static func user(_ text: String) -> String? {
        ByteArena.scoped { arena in
            user(arena.keep(text), arena).map { String(decoding: $0.raw, as: UTF8.self) }
        }
    }

    /// Most users are digits and nothing else; what has to be written anew is kept in `arena`.
    static func user(_ text: BorrowedBytes, _ arena: ByteArena) -> BorrowedBytes? {
        if text.isEmpty { return nil }
        if text.allSatisfy(isDigit) { return text }
        let trimmed = text.raw.drop(while: isBlank)
        if trimmed.isEmpty { return nil }
        let number = trimmed.first == UInt8(ascii: "+") ? trimmed.dropFirst() : trimmed
        guard number.allSatisfy({ isDigit($0) || isDecoration($0) }) else { return text }
        let digits = number.filter(isDigit)
        return digits.isEmpty ? text : arena.keep(digits)
    }

    static func isBlank(_ text: BorrowedBytes) -> Bool { text.allSatisfy(isBlank) }

    private static func isDigit(_ byte: UInt8) -> Bool { byte &- UInt8(ascii: "0") < 10 }
    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }
    private static func isDecoration(_ byte: UInt8) -> Bool {
        isBlank(byte) || byte == UInt8(ascii: "(") || byte == UInt8(ascii: ")") || byte == UInt8(ascii: "-")
    }
}
