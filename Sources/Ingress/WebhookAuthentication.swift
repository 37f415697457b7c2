/// How a channel's sender proves who it is.
///
/// 360dialog signs nothing: what we can demand are the headers that were given with the webhook's URL, usually
/// `Authorization: Basic …` (docs.360dialog.com, "Receiving messages"). The secrets are never printed: description,
/// debug description and mirror show the kind alone.
public enum WebhookAuthentication: Sendable {
    case basic(user: String, password: String)
    /// Any header; its name is compared without regard to case, its value byte by byte.
    case header(name: String, value: String)
    /// Anybody may post. For tests and for proxies that check themselves.
    case none
}

extension WebhookAuthentication: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String {
        switch self {
        case .basic: "basic(redacted)"
        case .header: "header(redacted)"
        case .none: "none"
        }
    }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
