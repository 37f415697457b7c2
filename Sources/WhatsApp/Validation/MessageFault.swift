/// A rule of the platform that a command breaks: where and which, never the value. Safe to log and to answer.
public struct MessageFault: Error, Sendable, Hashable, CustomStringConvertible {
    /// From the command, e.g. `message.interactive.action.buttons[1].reply.title`. Names come from our own rules, not
    /// from the command.
    public let path: String
    /// E.g. `must be text of 1 to 20 characters`.
    public let rule: String

    public init(_ path: String, _ rule: String) {
        self.path = path
        self.rule = rule
    }

    /// The same fault as seen from the value that holds the faulty one as `member`.
    func inside(_ member: String) -> MessageFault {
        let separator = path.isEmpty || path.hasPrefix("[") ? "" : "."
        return MessageFault(member + separator + path, rule)
    }

    public var description: String { "\(path): \(rule)" }
}
