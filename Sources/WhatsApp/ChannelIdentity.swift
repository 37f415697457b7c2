/// Which of the two products behind 360dialog a number lives on; they differ in envelopes, paths and error shapes.
public enum Hosting: String, Sendable, Hashable, CaseIterable {
    case cloud = "cloud"
    case onPremise = "on-premise"
}

/// A business number, or a whole account, as we are connected to it.
///
/// In the configuration it says what a webhook path stands for; in a record it says what the body named.
public struct ChannelIdentity: Sendable, Hashable {
    /// The path segment in `/webhooks/{channel}`; unique in an installation.
    public var name: String
    public var hosting: Hosting
    /// WhatsApp Business Account id.
    public var wabaID: String?
    /// The platform's id of the number (not the number). Nil for an account-level webhook, which serves many numbers.
    public var phoneNumberID: String?
    /// For people; may carry decoration, so it is never part of a key.
    public var displayPhoneNumber: String?

    public init(
        name: String, hosting: Hosting, wabaID: String? = nil, phoneNumberID: String? = nil,
        displayPhoneNumber: String? = nil
    ) {
        self.name = name
        self.hosting = hosting
        self.wabaID = wabaID
        self.phoneNumberID = phoneNumberID
        self.displayPhoneNumber = displayPhoneNumber
    }

    /// The business part of conversation keys and of `ce_source` where a body does not name the number: on-premise
    /// bodies never do.
    public var business: String { phoneNumberID ?? name }
}
