import EventLog

/// A record that is not what its topic promises. Trying again cannot help; it belongs to the dead letters with
/// disposition `DESERIALIZATION`. Safe to log: it names a member or header, never its content.
public struct MalformedRecord: UnreadableRecord, Sendable, Hashable {
    /// E.g. `message.id`.
    public let what: String

    public init(_ what: String) { self.what = what }

    public var description: String { "missing or unreadable: \(what)" }
}
