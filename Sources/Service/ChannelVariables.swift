import Yams

/// A single channel in environment variables, `MILLRACE_CHANNEL_…`, put into the form that the channels file has.
enum ChannelVariables {
    private static let prefix = "MILLRACE_CHANNEL_"

    /// Every place of a channel in the file that has a variable, as `webhook.basic.user`; a secret's also with `_file`.
    private static let paths: [[String]] = {
        let plain = ["hosting", "phone_number_id", "waba_id", "display_phone_number", "bound", "raw", "base_url", "rate", "unknown"]
        let secrets: [[String]] = [
            ["api_key"], ["webhook", "basic", "password"], ["webhook", "header", "value"],
            ["webhook", "signature", "secret"], ["webhook", "meta", "app_secret"], ["webhook", "meta", "verify_token"],
        ]
        return plain.map { [$0] } + [["webhook", "basic", "user"], ["webhook", "header", "name"]] + secrets
            + secrets.map { $0.dropLast() + [$0.last! + "_file"] }
    }()

    static func arePresent(in environment: [String: String]) -> Bool {
        environment.keys.contains { $0.hasPrefix(prefix) }
    }

    /// The variable of a place in the tree, `channels.<name>.webhook.basic.user`.
    static func name(of path: [String]) -> String {
        let words = path.dropFirst(2).filter { $0 != "webhook" }.map { $0.uppercased() }
        return prefix + (words.isEmpty ? "…" : words.joined(separator: "_"))
    }

    /// Throws for a variable with the prefix that is not known: it is a misspelt one.
    static func tree(_ environment: [String: String]) throws(SettingError) -> SettingsTree {
        let nameVariable = prefix + "NAME"
        let channel = environment[nameVariable] ?? "main"
        var unknown = Set(environment.keys).filter { $0.hasPrefix(prefix) && $0 != nameVariable }
        var entry = Node([(Node, Node)]())
        for path in paths {
            let variable = name(of: ["channels", channel] + path)
            guard let value = environment[variable] else { continue }
            unknown.remove(variable)
            set(value, at: path[...], of: &entry)
        }
        if let stranger = unknown.min() { throw SettingError(stranger, "is not known, see Channels") }
        return SettingsTree(path: [], Node([(Node("channels"), Node([(Node(channel), entry)]))]), .variable)
    }

    private static func set(_ value: String, at path: ArraySlice<String>, of node: inout Node) {
        guard let first = path.first else {
            // Quoted, so that an empty value stays a text.
            node = Node(value, .implicit, .doubleQuoted)
            return
        }
        var member = node[first] ?? Node([(Node, Node)]())
        set(value, at: path.dropFirst(), of: &member)
        node[first] = member
    }
}
