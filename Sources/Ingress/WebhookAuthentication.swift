/// One way in which a channel's sender can prove who it is.
///
/// What a channel accepts is a list of these. Of every *kind* in the list one must be shown: any of the Basic logins
/// **and** any value of each named header **and** any secret of each signature. So secrets of one kind are alternatives
/// (an old and a new one while they are rotated), and kinds are demanded together.
///
/// 360dialog signs no webhook of a number: what we can demand there are the headers that were given with the webhook's
/// URL, usually `Authorization: Basic …` (docs.360dialog.com, "Receiving messages"). Its partner webhooks and Meta sign
/// the body. The secrets are never printed: description, debug description and mirror show the kind alone.
public enum WebhookAuthentication: Sendable {
    case basic(user: String, password: String)
    /// Any header; its name is compared without regard to case, its value byte by byte.
    case header(name: String, value: String)
    /// HMAC-SHA256 of the body as it was sent, as hexadecimal digits in a header.
    case signature(Signature, secret: String)
    /// Anybody may post. For tests and for proxies that check themselves. Nothing else may stand beside it.
    case none

    /// Who signs, and so in which header the signature stands. The digits may follow `sha256=` in either.
    public enum Signature: String, Sendable, CaseIterable {
        /// 360dialog's partner webhooks, with the platform's secret (docs.360dialog.com, "Signature validation").
        case dialog360 = "x-360dialog-signature"
        /// Meta, with the app secret (Meta, "Webhooks").
        case meta = "x-hub-signature-256"
    }
}

extension WebhookAuthentication: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    public var description: String {
        switch self {
        case .basic: "basic(redacted)"
        case .header: "header(redacted)"
        case .signature: "signature(redacted)"
        case .none: "none"
        }
    }
    public var debugDescription: String { description }
    public var customMirror: Mirror { Mirror(self, children: [:]) }
}
