extension OutboundCommand {
    /// What the command asks for, as one word: two commands of one id with different content are a caller's mistake, and
    /// the second is refused.
    ///
    /// Covers recipient, purpose, route, message, fallback and opaque value; times are no part of it. Blanks, the order
    /// of members and the escapes in texts make no difference, because JSON libraries do not keep them.
    public var contentHash: String {
        var hash = IdentityHash("command-content")
        switch recipient {
        case .to(let to):
            hash.add("to")
            hash.add(to)
        case .userID(let id):
            hash.add("recipient")
            hash.add(id)
        }
        hash.add(purpose.rawValue)
        hash.add(route.rawValue)
        hash.add(message.canonical[...])
        if let fallback { hash.add(fallback.canonical[...]) } else { hash.addAbsent() }
        if let opaque { hash.add(opaque) } else { hash.addAbsent() }
        return hash.hex()
    }
}

extension JSON {
    /// The same bytes for the same value: members by name (of repeated ones the last, which is the one that lookups
    /// see), no blanks, texts with no more escapes than needed. Numbers stand as they were written.
    var canonical: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count)
        appendCanonical(to: &text)
        return text
    }

    private func appendCanonical(to text: inout [UInt8]) {
        switch kind {
        case .object:
            text.append(UInt8(ascii: "{"))
            for (index, member) in canonicalMembers.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                JSONWriter.append(member.name, to: &text)
                text.append(UInt8(ascii: ":"))
                member.value.appendCanonical(to: &text)
            }
            text.append(UInt8(ascii: "}"))
        case .array:
            text.append(UInt8(ascii: "["))
            for (index, element) in elements.enumerated() {
                if index > 0 { text.append(UInt8(ascii: ",")) }
                element.appendCanonical(to: &text)
            }
            text.append(UInt8(ascii: "]"))
        // Without a backslash in it a text is what the writer would write.
        case .string where !hasEscapes: text.append(contentsOf: bytes)
        case .string: JSONWriter.append(string ?? "", to: &text)
        case .number, .bool, .null: text.append(contentsOf: bytes)
        }
    }

    private var canonicalMembers: [(name: String, value: JSON)] {
        var all: [(name: String, value: JSON)] = []
        forEachMember { all.append(($0, $1)) }
        // Members of one name stay in their order: the last of them counts.
        let order = all.indices.sorted { (all[$0].name, $0) < (all[$1].name, $1) }
        var members: [(name: String, value: JSON)] = []
        for index in order {
            if members.last?.name == all[index].name { members.removeLast() }
            members.append(all[index])
        }
        return members
    }
}
