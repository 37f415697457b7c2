import WhatsApp

/// One sender's address at the ingress, `POST /webhooks/{identity.name}`, and what it must prove.
public struct IngressChannel: Sendable {
    public var identity: ChannelIdentity
    /// Of each kind of proof in the list one must be shown, see `WebhookAuthentication`.
    public var authentication: [WebhookAuthentication]
    /// Tokens that Meta's handshake may show (`GET …?hub.mode=subscribe`). Without any it is refused.
    public var verifyTokens: [String]
    /// Bodies may speak for the channel's own number only, see `WebhookSplitter`.
    public var isBound: Bool
    /// Whether every body is also kept whole on the raw topic.
    public var keepsRaw: Bool

    public init(
        identity: ChannelIdentity, authentication: [WebhookAuthentication], verifyTokens: [String] = [],
        isBound: Bool = false, keepsRaw: Bool = false
    ) {
        self.identity = identity
        self.authentication = authentication
        self.verifyTokens = verifyTokens
        self.isBound = isBound
        self.keepsRaw = keepsRaw
    }

    public init(identity: ChannelIdentity, authentication: WebhookAuthentication, isBound: Bool = false) {
        self.init(identity: identity, authentication: [authentication], isBound: isBound)
    }
}

/// All channels of a server: what a reload replaces.
public struct IngressChannels: Sendable {
    public var named: [IngressChannel]
    /// The account-level channel behind `POST /webhooks`. Nil: that path answers 401 like an unknown channel.
    public var account: IngressChannel?

    public init(named: [IngressChannel], account: IngressChannel? = nil) {
        self.named = named
        self.account = account
    }

    /// Whether any channel wants its bodies kept whole.
    public var keepsRaw: Bool { (named + [account].compactMap { $0 }).contains(where: \.keepsRaw) }

    /// Throws when a channel could not be told from another, or would let in more than was meant.
    func validate() throws(IngressConfigurationError) {
        guard !named.isEmpty || account != nil else { throw IngressConfigurationError("no channel is configured") }
        var names: Set<String> = []
        for channel in named {
            let name = channel.identity.name
            guard !name.isEmpty, name != ".", name != "..", name.utf8.allSatisfy(Self.isUnreserved) else {
                throw IngressConfigurationError(
                    "a channel's name may hold letters, digits, '-', '.', '_' and '~' only, and not be . or ..")
            }
            guard names.insert(name).inserted else {
                throw IngressConfigurationError("the channel \(name) is configured twice")
            }
        }
        for channel in named + [account].compactMap({ $0 }) { try channel.validateProofs() }
    }

    /// RFC 3986, 2.3: what may stand in a path without percent-encoding.
    private static func isUnreserved(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            true
        default: false
        }
    }
}

extension IngressChannel {
    fileprivate func validateProofs() throws(IngressConfigurationError) {
        let place = "channel \(identity.name)"
        guard !authentication.isEmpty else { throw IngressConfigurationError("\(place): it must demand some proof") }
        for proof in authentication {
            switch proof {
            case .none:
                guard authentication.count == 1 else {
                    throw IngressConfigurationError("\(place): to take anybody makes its other proofs void")
                }
            case .basic(let user, let password):
                guard !user.isEmpty, !user.contains(":"), !password.isEmpty else {
                    throw IngressConfigurationError("\(place): Basic needs a user without ':' and a password")
                }
            case .header(let header, let value):
                guard !header.isEmpty, !value.isEmpty else {
                    throw IngressConfigurationError("\(place): the secret header needs a name and a value")
                }
            case .signature(_, let secret):
                guard !secret.isEmpty else { throw IngressConfigurationError("\(place): a signature needs a secret") }
            }
        }
        guard verifyTokens.allSatisfy({ !$0.isEmpty }) else {
            throw IngressConfigurationError("\(place): a verify token must not be empty")
        }
    }
}
