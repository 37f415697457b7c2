/// Walking and reading by token index: what the webhook splitter needs, without views and their reference counts.
extension JSONText {
    func slice(_ index: Int) -> ArraySlice<UInt8> {
        let token = tokens[index]
        return bytes[Int(token.start)..<Int(token.end)]
    }

    func isObject(_ index: Int) -> Bool { tokens[index].kind == .object }
    func isArray(_ index: Int) -> Bool { tokens[index].kind == .array }
    func isNull(_ index: Int) -> Bool { tokens[index].kind == .null }

    @inline(__always)
    func forEachMember(of object: Int, _ body: (_ name: JSONToken, _ value: Int) -> Void) {
        guard tokens[object].kind == .object else { return }
        let end = Int(tokens[object].next)
        var at = object + 1
        while at < end {
            body(tokens[at], at + 1)
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

    @inline(__always)
    func equals(_ token: JSONToken, _ literal: StaticString) -> Bool {
        if token.hasEscapes { return stringEquals(token, literal.description) }
        let length = Int(token.end) - Int(token.start) - 2
        if length != literal.utf8CodeUnitCount { return false }
        let start = Int(token.start) + 1
        for offset in 0..<length where bytes[start + offset] != literal.utf8Start[offset] { return false }
        return true
    }

    func isString(_ index: Int?, _ literal: StaticString) -> Bool {
        guard let index, tokens[index].kind == .string else { return false }
        return equals(tokens[index], literal)
    }

    /// The text of a string; no copy unless it has escapes.
    func text(_ index: Int?) -> ArraySlice<UInt8>? {
        guard let index, tokens[index].kind == .string else { return nil }
        let token = tokens[index]
        let inside = bytes[Int(token.start) + 1..<Int(token.end) - 1]
        return token.hasEscapes ? Self.unescape(inside)[...] : inside
    }

    /// Text of a string or, as some send ids as numbers, the digits of an unsigned whole number. Nil when blank or
    /// longer than `maxBytes`.
    func idText(_ index: Int?, maxBytes: Int) -> ArraySlice<UInt8>? {
        guard let index else { return nil }
        var id: ArraySlice<UInt8>
        switch tokens[index].kind {
        case .string: id = text(index) ?? []
        case .number:
            id = slice(index)
            if !id.allSatisfy({ $0 &- UInt8(ascii: "0") < 10 }) { return nil }
        default: return nil
        }
        return id.count > maxBytes || ConversationKey.isBlank(id) ? nil : id
    }

    /// Text of a string or number as it stands, for timestamps.
    func scalarText(_ index: Int?) -> ArraySlice<UInt8>? {
        guard let index else { return nil }
        return tokens[index].kind == .number ? slice(index) : text(index)
    }
}
