import Foundation

/// A secret that was read and must not be shown: printing or logging it gives `<secret>`.
public struct Secret: Sendable, Hashable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public let value: String

    public init(_ value: String) { self.value = value }

    public var description: String { "<secret>" }
    public var debugDescription: String { "<secret>" }
    public var customMirror: Mirror { Mirror(self, children: []) }

    /// The content of a file, without the line end that editors leave there.
    static func read(file path: String, for setting: String) throws(SettingError) -> String {
        var files = FileContents()
        return try text(of: files.read(path), for: setting)
    }

    static func text(of data: Data?, for setting: String) throws(SettingError) -> String {
        guard let data, let text = String(data: data, encoding: .utf8) else {
            throw SettingError(setting, "names a file that cannot be read as text")
        }
        let secret = text.trimmingCharacters(in: .newlines)
        if secret.isBlank { throw SettingError(setting, "names an empty file") }
        return secret
    }
}

extension String {
    /// Nothing that anybody could see: guessed at once, as a secret.
    var isBlank: Bool {
        unicodeScalars.allSatisfy { scalar in
            let properties = scalar.properties
            return properties.isWhitespace || properties.isDefaultIgnorableCodePoint || properties.generalCategory == .control
        }
    }
}
