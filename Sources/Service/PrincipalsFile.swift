import Foundation
import Yams

/// The file of those who may ask for messages to be sent, named by `MILLRACE_COMMANDS_PRINCIPALS`:
///
///     principals:
///       shop:
///         token_file: /run/secrets/shop-tokens   # one token a line, each of them valid: add, switch over, remove
///         channels: [main]                       # channels it may send from; all when left out
///       crm:
///         token_env: CRM_TOKEN                   # or `token`, plain, for a first try
///
/// A token has at least 16 characters and no blanks, and belongs to one principal. Every mistake is named by its place.
/// The endpoint takes changes of the file and of token files while it runs (`Reloading`).
public enum PrincipalsFile {
    public struct Entry: Sendable {
        public var name: String
        public var tokens: [Secret]
        public var channels: Set<String>?
    }

    static let setting = "MILLRACE_COMMANDS_PRINCIPALS"

    /// - Parameter files: What is read is read through it, so that it can be watched.
    public static func load(environment: [String: String], files: inout FileContents) throws -> [Entry] {
        guard let path = environment[setting] else {
            throw SettingError(setting, "must name the file of those who may send commands")
        }
        guard let data = files.read(path) else {
            throw SettingError(setting, "names a file that \(files.fault(path))")
        }
        return try parse(yaml: String(decoding: data, as: UTF8.self), environment: environment, files: &files)
    }

    static func parse(yaml: String, environment: [String: String] = [:]) throws -> [Entry] {
        var files = FileContents()
        return try parse(yaml: yaml, environment: environment, files: &files)
    }

    private static func parse(
        yaml: String, environment: [String: String], files: inout FileContents
    ) throws -> [Entry] {
        guard let root = try? Yams.load(yaml: yaml) as? [String: Any] else {
            throw SettingError("principals file", "is not valid YAML")
        }
        guard Set(root.keys) == ["principals"], let members = root["principals"] as? [String: Any], !members.isEmpty
        else { throw SettingError("principals file", "must have principals, and nothing else") }
        var entries: [Entry] = []
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            entries.append(try entry(name, value, environment, &files))
        }
        let tokens = entries.flatMap(\.tokens)
        guard Set(tokens).count == tokens.count else {
            throw SettingError("principals file", "has one token twice")
        }
        return entries
    }

    private static func entry(
        _ name: String, _ value: Any, _ environment: [String: String], _ files: inout FileContents
    ) throws -> Entry {
        let place = "principals.\(name)"
        guard (1...64).contains(name.count) else { throw SettingError(place, "a name has 1 to 64 characters") }
        guard let members = value as? [String: Any] else { throw SettingError(place, "must be a mapping") }
        let known: Set = ["token", "token_env", "token_file", "channels"]
        if let stranger = members.keys.filter({ !known.contains($0) }).min() {
            throw SettingError("\(place).\(stranger)", "is not known; known are \(known.sorted().joined(separator: ", "))")
        }
        var channels: Set<String>?
        if let value = members["channels"] {
            guard let names = value as? [String], !names.isEmpty else {
                throw SettingError("\(place).channels", "must be a list of names")
            }
            channels = Set(names)
        }
        return Entry(name: name, tokens: try tokens(members, place, environment, &files), channels: channels)
    }

    private static func tokens(
        _ members: [String: Any], _ place: String, _ environment: [String: String], _ files: inout FileContents
    ) throws -> [Secret] {
        let text: String
        switch (members["token"], members["token_env"], members["token_file"]) {
        case (let plain as String, nil, nil): text = plain
        case (nil, let variable as String, nil):
            guard let value = environment[variable] else {
                throw SettingError("\(place).token_env", "names an environment variable that is not set")
            }
            text = value
        case (nil, nil, let file as String): text = try Secret.text(of: files.read(file), for: "\(place).token_file")
        default: throw SettingError("\(place).token", "must be text, given once, as token, token_env or token_file")
        }
        let tokens = text.split(whereSeparator: \.isNewline).map { $0.trimmingCharacters(in: .whitespaces) }
            .filter { !$0.isEmpty }
        guard !tokens.isEmpty, tokens.allSatisfy({ $0.utf8.count >= 16 && !$0.contains(where: \.isWhitespace) }) else {
            throw SettingError("\(place).token", "must have at least 16 characters and no blanks")
        }
        return tokens.map { Secret($0) }
    }
}
