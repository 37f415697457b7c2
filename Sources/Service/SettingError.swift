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

/// What a setting names cannot be used now, e.g. because a disk is full or another process has it: unlike `SettingError`
/// this may pass. Quotes the log's own word, which holds paths and hosts, never secrets.
public struct StartError: ReadableError, Sendable {
    public let setting: String
    public let cause: String

    public init(_ setting: String, _ cause: String) {
        self.setting = setting
        self.cause = cause
    }

    public var description: String { "\(setting): cannot be used: \(cause)" }
}
