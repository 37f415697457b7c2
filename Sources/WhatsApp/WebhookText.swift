/// A validated body and the list of its values, walked and read by token index.
///
/// A view like `BorrowedBytes`, and good as long: it owns neither body nor list. Text with escapes is resolved into the
/// split's arena; all other text stays where it is.
struct WebhookText {
    let body: UnsafeRawBufferPointer
    private let tokens: UnsafeBufferPointer<JSONToken>
    let arena: ByteArena

    init(_ body: UnsafeRawBufferPointer, _ tokens: UnsafeBufferPointer<JSONToken>, _ arena: ByteArena) {
        self.body = body
        self.tokens = tokens
        self.arena = arena
    }

    /// The value as it stands in the body.
    func slice(_ index: Int) -> BorrowedBytes {
        let token = tokens[index]
        return bytes(Int(token.start), Int(token.end))
    }

    /// A string without its quotes, as it stands in the body.
    private func inside(_ token: JSONToken) -> BorrowedBytes { bytes(Int(token.start) + 1, Int(token.end) - 1) }

    @inline(__always)
    private func bytes(_ start: Int, _ end: Int) -> BorrowedBytes {
        assert(start <= end && end <= body.count)
        return BorrowedBytes(start: body.baseAddress! + start, count: end - start)
    }

    // MARK: Walking

    func isObject(_ index: Int) -> Bool { tokens[index].kind == .object }
    func isArray(_ index: Int) -> Bool { tokens[index].kind == .array }

    /// An array with elements.
    @inline(__always)
    func isFilledArray(_ index: Int) -> Bool { isArray(index) && Int(tokens[index].next) > index + 1 }
    func isNull(_ index: Int) -> Bool { tokens[index].kind == .null }
    func isString(_ index: Int) -> Bool { tokens[index].kind == .string }

    @inline(__always)
    func forEachMember(of object: Int, _ body: (_ name: MemberName, _ value: Int) -> Void) {
        guard tokens[object].kind == .object else { return }
        let end = Int(tokens[object].next)
        var at = object + 1
        while at < end {
            body(name(tokens[at]), at + 1)
            at = Int(tokens[at + 1].next)
        }
    }

    /// Stops when `body` answers false.
    @inline(__always)
    func forEachElement(of array: Int, _ body: (_ element: Int) -> Bool) {
        let end = Int(tokens[array].next)
        var at = array + 1
        while at < end {
            if !body(at) { return }
            at = Int(tokens[at].next)
        }
    }

    // MARK: Names

    /// A member's name, to be compared with those that are looked for.
    struct MemberName {
        fileprivate let inside: BorrowedBytes
        fileprivate let hasEscapes: Bool

        @inline(__always)
        static func ~= (wanted: StaticString, name: MemberName) -> Bool {
            name.hasEscapes ? name.isWritten(wanted) : name.inside == wanted
        }

        /// Nobody writes names with escapes, but everybody may.
        @inline(never)
        private func isWritten(_ wanted: StaticString) -> Bool {
            JSONText.unescape(inside.raw).elementsEqual(BorrowedBytes(wanted).raw)
        }
    }

    @inline(__always)
    private func name(_ token: JSONToken) -> MemberName {
        MemberName(inside: inside(token), hasEscapes: token.hasEscapes)
    }

    // MARK: Reading

    func isString(_ index: Int?, _ literal: StaticString) -> Bool {
        guard let index, tokens[index].kind == .string else { return false }
        return literal ~= name(tokens[index])
    }

    /// The text of a string.
    func text(_ index: Int?) -> BorrowedBytes? {
        guard let index, tokens[index].kind == .string else { return nil }
        let token = tokens[index]
        return token.hasEscapes ? arena.keep(JSONText.unescape(inside(token).raw)) : inside(token)
    }

    /// What tells a string from every other: its text, but for half surrogates, which all read alike there.
    func identity(_ index: Int?) -> BorrowedBytes? {
        guard let index, tokens[index].kind == .string, tokens[index].hasEscapes else { return text(index) }
        return arena.keep(JSONText.unescape(inside(tokens[index]).raw, keepingHalves: true))
    }

    /// Text of a string or, as some send ids as numbers, the digits of an unsigned whole number. Nil when blank or
    /// longer than `maxBytes`.
    func idText(_ index: Int?, maxBytes: Int) -> BorrowedBytes? {
        guard let index else { return nil }
        let id: BorrowedBytes
        switch tokens[index].kind {
        case .string: id = text(index)!
        case .number:
            id = slice(index)
            if !id.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) { return nil }
        default: return nil
        }
        return id.count > maxBytes || ConversationKey.isBlank(id) ? nil : id
    }

    /// Text of a string or number as it stands, for timestamps.
    func scalarText(_ index: Int?) -> BorrowedBytes? {
        guard let index else { return nil }
        return tokens[index].kind == .number ? slice(index) : text(index)
    }

    /// A user as in `ConversationKey.user`.
    func user(_ index: Int?, maxBytes: Int) -> BorrowedBytes? {
        idText(index, maxBytes: maxBytes).flatMap { ConversationKey.user($0, arena) }
    }
}
