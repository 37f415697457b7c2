/// An error whose description is written for the person who starts the program, and quotes nothing secret.
public protocol ReadableError: Error, CustomStringConvertible {}

/// A setting that cannot be used. Names the setting and the rule, never the value: it may be a secret.
public struct SettingError: ReadableError, Sendable {
    public let setting: String
    public let rule: String

    public init(_ setting: String, _ rule: String) {
        self.setting = setting
        self.rule = rule
    }

    public var description: String { "\(setting): \(rule)" }
}
