import EventLog
import Yams

extension ReplyRules {
    /// The most replies a cap may count: each is remembered by its time.
    private static let maxCap = 1_000

    /// Reads rules. Throws `RulesError`, which names rule and field.
    init(yaml: String) throws(RulesError) {
        let root: Node?
        do {
            root = try Yams.compose(yaml: yaml)
        } catch let error as YamlError {
            throw RulesError(rule: nil, field: "file", reason: "not YAML: \(error)", line: nil)
        } catch {
            throw RulesError(rule: nil, field: "file", reason: "not YAML", line: nil)
        }
        guard let root else { throw RulesError(rule: nil, field: "rules", reason: "missing", line: nil) }
        let fields = try YAMLFields(root, rule: nil, path: "rules", allowed: ["rules", "cap", "groups"])
        guard let list = fields["rules"]?.sequence, !list.isEmpty else {
            throw fields.fault("rules", "must be a list with at least one rule")
        }
        rules = []
        var names: Set<String> = []
        for (index, node) in list.enumerated() {
            let rule = try Rule(node, number: index + 1)
            guard names.insert(rule.name).inserted else {
                throw RulesError(rule: rule.name, field: "name", reason: "used twice", line: node.mark?.line)
            }
            if let last = rules.last, last.when.isDefault {
                throw RulesError(
                    rule: rule.name, field: "when",
                    reason: "never reached: rule \"\(last.name)\" before it matches all",
                    line: node.mark?.line)
            }
            rules.append(rule)
        }
        caps = try fields["cap"].map { node throws(RulesError) in try Self.caps(node) } ?? Cap.standard
        answersGroups = try fields.flag("groups") ?? false
    }

    private static func caps(_ node: Node) throws(RulesError) -> [Cap] {
        var caps: [Cap] = []
        for node in node.sequence.map(Array.init) ?? [node] {
            let fields = try YAMLFields(node, rule: nil, path: "cap", allowed: ["replies", "per"])
            caps.append(Cap(replies: try fields.count("replies", in: 1...maxCap), per: try fields.duration("per")))
        }
        return caps
    }
}

extension ReplyRules.Rule {
    fileprivate init(_ node: Node, number: Int) throws(RulesError) {
        let given = node.mapping?[Node("name")]?.scalar?.string
        let fields = try YAMLFields(
            node, rule: given ?? "#\(number)", path: "rules", allowed: ["name", "when", "reply"])
        guard let name = try fields.text("name") else { throw fields.fault("name", "missing") }
        guard let condition = fields["when"] else {
            throw fields.fault("when", "missing; a rule for everything else says `when: default`")
        }
        guard let reply = fields["reply"] else {
            throw fields.fault("reply", "missing; a rule that keeps silent says `reply: none`")
        }
        self.name = name
        when = try Condition(condition, rule: name)
        self.reply = reply.scalar?.string == "none" ? nil : try ReplyTemplate(reply, rule: name)
    }
}

extension Condition {
    fileprivate init(_ node: Node, rule: String) throws(RulesError) {
        self.init()
        if node.scalar?.string == "default" { return }
        let fields = try YAMLFields(
            node, rule: rule, path: "when", allowed: ["keyword", "exact", "regex", "type", "id"])
        keywords = try Self.folded(fields, "keyword")
        exact = try Self.folded(fields, "exact")
        if let source = try fields.text("regex") {
            do {
                pattern = try TextPattern(source)
            } catch {
                switch error {
                case .syntax: throw fields.fault("regex", "not a regular expression")
                case .nestedRepetition:
                    throw fields.fault("regex", "a repetition inside a repetition can take for ever on some texts")
                }
            }
        }
        if let names = try fields.texts("type") {
            if let silent = names.first(where: Self.silentTypes.contains) {
                throw fields.fault("type", "messages of type \(silent) are never answered")
            }
            types = Set(names)
        }
        ids = try fields.texts("id").map(Set.init)
        if isDefault { throw fields.fault("keyword", "empty; a rule for everything else says `when: default`") }
    }

    private static func folded(_ fields: YAMLFields, _ name: String) throws(RulesError) -> [FoldedText]? {
        guard let texts = try fields.texts(name) else { return nil }
        let folded = texts.map { FoldedText($0) }
        if folded.contains(where: \.isEmpty) { throw fields.fault(name, "holds a text of blanks and accents only") }
        return folded
    }
}
