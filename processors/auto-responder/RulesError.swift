/// What is wrong with the rules, for whoever wrote them: names rule, field and line.
struct RulesError: Error, Sendable, Hashable, CustomStringConvertible {
    /// Name of the rule, or `#3` while it has none; nil outside of the rules.
    let rule: String?
    /// E.g. `when.regex`.
    let field: String
    let reason: String
    let line: Int?

    var description: String {
        let place = [rule.map { "rule \"\($0)\"" }, "field \(field)", line.map { "line \($0)" }]
        return "\(place.compactMap(\.self).joined(separator: ", ")): \(reason)"
    }
}
