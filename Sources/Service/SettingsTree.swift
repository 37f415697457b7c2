import Yams

/// A value of a settings file together with its place, by which every mistake is named. Values never appear in errors:
/// they may be secrets.
struct SettingsTree {
    /// How a place is written.
    enum Style {
        /// `channels.main.webhook.basic[1].user`
        case path
        /// `MILLRACE_CHANNEL_BASIC_USER`, for the single channel of the environment.
        case variable
    }

    let path: [String]
    private let node: Node
    private let style: Style

    /// - Throws: `SettingError` when the text is no YAML, or names something twice.
    init(yaml: String) throws(SettingError) {
        do {
            self.init(path: [], try Yams.compose(yaml: yaml) ?? Node([(Node, Node)]()), .path)
        } catch YamlError.duplicatedKeysInMapping(_, let context) {
            throw SettingError("channels file", "names something twice near line \(context.mark.line)")
        } catch {
            throw SettingError("channels file", "the file cannot be read as YAML")
        }
    }

    init(path: [String], _ node: Node, _ style: Style) {
        self.path = path
        self.node = node
        self.style = style
    }

    var place: String {
        switch style {
        case .path: path.isEmpty ? "the file" : path.joined(separator: ".")
        case .variable: ChannelVariables.name(of: path)
        }
    }

    func error(_ rule: String) -> SettingError { SettingError(place, rule) }
    /// An error about a member that is not there.
    func error(_ member: String, _ rule: String) -> SettingError { at(member, node).error(rule) }

    private func at(_ member: String, _ node: Node) -> SettingsTree { SettingsTree(path: path + [member], node, style) }

    /// Of nothing at all, as in `account:` with nothing behind it.
    private var isNull: Bool {
        guard let scalar = node.scalar, scalar.style == .plain else { return false }
        return ["", "~", "null"].contains(scalar.string)
    }

    /// The members of a mapping by name. One that is not `known` is an error: a misspelt key must not silently become
    /// a default. Without `known` any name is taken.
    func members(known: [String]? = nil) throws(SettingError) -> [String: SettingsTree] {
        if isNull { return [:] }
        guard let mapping = node.mapping else { throw error("must have members") }
        var members: [String: SettingsTree] = [:]
        for (key, value) in mapping {
            guard let name = key.scalar?.string else { throw error("has a member without a name") }
            members[name] = at(name, value)
        }
        if let known, let stranger = members.keys.filter({ !known.contains($0) }).min() {
            throw error(stranger, "is not known; known are \(known.sorted().joined(separator: ", "))")
        }
        return members
    }

    /// The elements of a list; anything else is a list of one.
    func elements() throws(SettingError) -> [SettingsTree] {
        guard let sequence = node.sequence else { return [self] }
        if sequence.isEmpty { throw error("must not be an empty list") }
        let name = path.last ?? ""
        return sequence.enumerated().map { index, element in
            SettingsTree(path: path.dropLast() + ["\(name)[\(index)]"], element, style)
        }
    }

    func text() throws(SettingError) -> String {
        guard let text = node.scalar?.string, !isNull else { throw error("must be text") }
        return text
    }

    func truth() throws(SettingError) -> Bool {
        switch node.scalar?.string {
        case "true": return true
        case "false": return false
        default: throw error("must be true or false")
        }
    }
}
