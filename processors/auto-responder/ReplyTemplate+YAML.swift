import WhatsApp
import Yams

extension ReplyTemplate {
    /// Reads `{text: …, preview_url?: …}` or `{interactive: {…}}` and checks the platform's limits, so that a reply it
    /// would refuse is found before the first customer asks.
    init(_ node: Node, rule: String) throws(RulesError) {
        let fields = try YAMLFields(node, rule: rule, path: "reply", allowed: ["text", "preview_url", "interactive"])
        if let interactive = fields["interactive"] {
            guard fields["text"] == nil, fields["preview_url"] == nil else {
                throw fields.fault("text", "a reply is either text or interactive")
            }
            type = "interactive"
            content = try Value(interactive, ReplyPlace(rule: rule, path: "reply.interactive"))
            try check(fields, "interactive")
        } else {
            guard let text = fields["text"] else { throw fields.fault("text", "missing") }
            type = "text"
            let body = try Value(text, ReplyPlace(rule: rule, path: "reply.text"))
            let preview = try fields.flag("preview_url").map { Member(name: "preview_url", value: .bool($0)) }
            content = .object([Member(name: "body", value: body)] + [preview].compactMap(\.self))
            try check(fields, "text")
        }
    }

    /// Holds the reply to the rules that commands are held to, with the longest name and with none.
    private func check(_ fields: YAMLFields, _ member: String) throws(RulesError) {
        for name in [String(repeating: "n", count: Self.maxNameCharacters), nil] {
            guard let message = try? message(name: name, quoting: "wamid.") else {
                throw fields.fault(member, "nested too deeply")
            }
            do throws(MessageFault) {
                try OutboundCommand.check(message: message, for: .cloud)
            } catch {
                // A text is written without its `body`.
                let path = error.path == "text.body" ? "text" : error.path
                throw RulesError(
                    rule: fields.rule, field: fields.join(path), reason: error.rule, line: fields[member]?.mark?.line)
            }
        }
    }
}

/// Where in the rules a value stands, for the error that may come.
private struct ReplyPlace {
    let rule: String
    let path: String

    func fault(_ node: Node, _ reason: String) -> RulesError {
        RulesError(rule: rule, field: path, reason: reason, line: node.mark?.line)
    }
}

extension ReplyTemplate.Value {
    /// Plain `true` and `false` become booleans; everything else is text, because ids and titles that look like numbers,
    /// dates or `yes` have to stay as they are written.
    fileprivate init(_ node: Node, _ place: ReplyPlace) throws(RulesError) {
        switch node {
        case .scalar(let scalar):
            if scalar.style == .plain, scalar.string == "true" || scalar.string == "false" {
                self = .bool(scalar.string == "true")
                return
            }
            do {
                self = .text(try ReplyTemplate.Text(scalar.string))
            } catch {
                switch error {
                case .unknownPlace(let name):
                    throw place.fault(node, "unknown place {\(name)}; {name} is known, {{ stands for a brace")
                case .openBrace: throw place.fault(node, "a brace is not closed; {{ stands for a brace")
                }
            }
        case .sequence(let nodes):
            var values: [Self] = []
            for node in nodes { values.append(try Self(node, place)) }
            self = .array(values)
        case .mapping(let mapping):
            var members: [ReplyTemplate.Member] = []
            for (key, value) in mapping {
                guard let name = key.scalar?.string else { throw place.fault(key, "names must be text") }
                let inner = ReplyPlace(rule: place.rule, path: "\(place.path).\(name)")
                members.append(ReplyTemplate.Member(name: name, value: try Self(value, inner)))
            }
            self = .object(members)
        case .alias: throw place.fault(node, "references are not taken here")
        }
    }
}
