import WhatsApp

/// A reply with places for the customer's name: `{name}`, or `{name|there}` with a word for when none is known.
struct ReplyTemplate: Sendable, Hashable {
    /// Longest name put in; replies are checked against the platform's limits with a name of this length.
    static let maxNameCharacters = 40

    let type: String
    /// The object that the type names.
    let content: Value

    indirect enum Value: Sendable, Hashable {
        case text(Text)
        case bool(Bool)
        case array([Value])
        case object([Member])
    }
    struct Member: Sendable, Hashable {
        let name: String
        let value: Value
    }

    /// Text cut at its places.
    struct Text: Sendable, Hashable {
        enum Part: Sendable, Hashable {
            case literal(String)
            case name(fallback: String)
        }
        enum Fault: Error, Sendable, Hashable {
            case unknownPlace(String)
            case openBrace
        }
        let parts: [Part]

        /// `{{` and `}}` stand for braces.
        init(_ source: String) throws(Fault) {
            var parts: [Part] = []
            var literal = ""
            var rest = source[...]
            while let character = rest.popFirst() {
                if (character == "{" || character == "}") && rest.first == character {
                    literal.append(rest.removeFirst())
                } else if character == "{" {
                    guard let end = rest.firstIndex(of: "}") else { throw .openBrace }
                    let place = rest[..<end].split(separator: "|", maxSplits: 1, omittingEmptySubsequences: false)
                    guard place[0] == "name" else { throw .unknownPlace(String(place[0])) }
                    parts += [.literal(literal), .name(fallback: place.count > 1 ? String(place[1]) : "")]
                    literal = ""
                    rest = rest[end...].dropFirst()
                } else {
                    literal.append(character)
                }
            }
            self.parts = (parts + [.literal(literal)]).filter { $0 != .literal("") }
        }

        func filled(name: String?) -> String {
            parts.map { part in
                switch part {
                case .literal(let text): text
                case .name(let fallback): name ?? fallback
                }
            }.joined()
        }
    }

    /// The message for the API, quoting the one it answers. Throws for content nested beyond any reason; rules with
    /// such are refused when they are loaded.
    func message(name: String?, quoting id: String) throws(JSONError) -> JSON {
        let name = Self.printable(name)
        let bytes = JSONWriter.object { message in
            message.object("context") { $0.member("message_id", id) }
            message.member("type", type)
            message.rawMember(type, Self.bytes(content, name))
        }
        return try JSON(parsing: bytes)
    }

    /// A name comes from its owner: no line breaks, no direction marks or other controls, no more than 40 scalars.
    static func printable(_ name: String?) -> String? {
        guard let name else { return nil }
        var scalars = String.UnicodeScalarView()
        for scalar in name.unicodeScalars {
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator, .privateUse, .unassigned: scalars.append(" ")
            // Joiners make one emoji of several; other formats turn text around.
            case .format: if scalar == "\u{200D}" { scalars.append(scalar) }
            default: scalars.append(scalar)
            }
        }
        let text = String(scalars).split(whereSeparator: \.isWhitespace).joined(separator: " ")
        var short = ""
        var length = 0
        for character in text {
            length += character.unicodeScalars.count
            if length > maxNameCharacters { break }
            short.append(character)
        }
        while short.last?.isWhitespace == true { short.removeLast() }
        return short.isEmpty ? nil : short
    }

    private static func bytes(_ value: Value, _ name: String?) -> [UInt8] {
        switch value {
        case .text(let text):
            // The writer has no lone string; an array of one has it between its brackets.
            return Array(JSONWriter.array { $0.element(text.filled(name: name)) }.dropFirst().dropLast())
        case .bool(let bool): return Array((bool ? "true" : "false").utf8)
        case .array(let values):
            return JSONWriter.array { array in
                for value in values { array.rawElement(bytes(value, name)[...]) }
            }
        case .object(let members):
            return JSONWriter.object { object in
                for member in members { object.rawMember(member.name, bytes(member.value, name)) }
            }
        }
    }
}
