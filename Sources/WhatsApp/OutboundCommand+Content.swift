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
        switch kind {
        case .object:
            var members: [String: JSON] = [:]
            forEachMember { members[$0] = $1 }
            return JSONWriter.object { object in
                for (name, value) in members.sorted(by: { $0.key < $1.key }) { object.rawMember(name, value.canonical) }
            }
        case .array:
            return JSONWriter.array { array in
                for element in elements { array.rawElement(element.canonical[...]) }
            }
        case .string:
            // The writer has no lone string; an array of one has it between its brackets.
            return Array(JSONWriter.array { $0.element(string ?? "") }.dropFirst().dropLast())
        case .number, .bool, .null: return Array(bytes)
        }
    }
}
