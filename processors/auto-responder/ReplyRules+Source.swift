import Foundation

extension ReplyRules {
    /// Where rules are looked for when no path is given.
    static let defaultPath = "processors/auto-responder/rules.yaml"

    /// The rules of the file at `path`; without a path those of `defaultPath`, or, where that file is not there, the
    /// example rules. A path that was given must be readable.
    static func load(path: String?) throws(RulesError) -> ReplyRules {
        guard path != nil || FileManager.default.fileExists(atPath: defaultPath) else { return try example() }
        let path = path ?? defaultPath
        guard let yaml = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw RulesError(rule: nil, field: "file", reason: "cannot be read as UTF-8 text", line: nil)
        }
        return try ReplyRules(yaml: yaml)
    }

    /// `rules.yaml` as it was when the executable was built.
    static func example() throws(RulesError) -> ReplyRules {
        try ReplyRules(yaml: String(decoding: PackageResources.rules_yaml, as: UTF8.self))
    }
}
