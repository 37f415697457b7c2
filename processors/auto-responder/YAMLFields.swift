import Yams

/// One mapping of the rules file, read strictly: a member nobody asked for is an error, because a misspelt one would
/// otherwise do nothing, silently.
struct YAMLFields {
    let rule: String?
    let path: String
    private let mapping: Node.Mapping
    private let line: Int?

    init(_ node: Node, rule: String?, path: String, allowed: Set<String>) throws(RulesError) {
        self.rule = rule
        self.path = path
        line = node.mark?.line
        guard let mapping = node.mapping else {
            throw RulesError(rule: rule, field: path, reason: "must be a mapping", line: line)
        }
        self.mapping = mapping
        for key in mapping.keys where !allowed.contains(key.scalar?.string ?? "") {
            let known = allowed.sorted().joined(separator: ", ")
            throw RulesError(
                rule: rule, field: join(key.scalar?.string ?? "?"), reason: "unknown; known are \(known)",
                line: key.mark?.line ?? line)
        }
    }

    subscript(_ name: String) -> Node? { mapping[Node(name)] }

    func join(_ name: String) -> String { path == "rules" ? name : "\(path).\(name)" }

    func fault(_ name: String, _ reason: String) -> RulesError {
        RulesError(rule: rule, field: join(name), reason: reason, line: self[name]?.mark?.line ?? line)
    }

    func text(_ name: String) throws(RulesError) -> String? {
        guard let node = self[name] else { return nil }
        guard let text = node.scalar?.string, !text.isEmpty else { throw fault(name, "must be text") }
        return text
    }

    /// One text or a list of them.
    func texts(_ name: String) throws(RulesError) -> [String]? {
        guard let node = self[name] else { return nil }
        let nodes = node.sequence.map(Array.init) ?? [node]
        var texts: [String] = []
        for node in nodes {
            guard let text = node.scalar?.string, !text.isEmpty else {
                throw fault(name, "must be a text or a list of texts, none of them empty")
            }
            texts.append(text)
        }
        if texts.isEmpty { throw fault(name, "must not be empty") }
        return texts
    }

    func flag(_ name: String) throws(RulesError) -> Bool? {
        guard let node = self[name] else { return nil }
        switch node.scalar?.string {
        case "true": return true
        case "false": return false
        default: throw fault(name, "must be true or false")
        }
    }

    func count(_ name: String, in range: ClosedRange<Int>) throws(RulesError) -> Int {
        guard let text = try text(name), let count = Int(text), range.contains(count) else {
            throw fault(name, "must be a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return count
    }

    /// `30s`, `10m`, `24h` or `7d`.
    func duration(_ name: String) throws(RulesError) -> Duration {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3_600, "d": 86_400]
        guard let text = try text(name), let unit = text.last.flatMap({ units[$0] }),
            let count = Int64(text.dropLast()), count > 0, count <= 7 * 86_400 / unit
        else { throw fault(name, "must be a duration such as 60s, 10m or 24h, at most 7d") }
        return .seconds(count * unit)
    }
}
