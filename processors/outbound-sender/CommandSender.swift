import D360
import Service
import WhatsApp

/// Makes one attempt to send a command: what the processor needs of the outside world.
protocol CommandSender: Sendable {
    func send(_ command: OutboundCommand, to endpoint: ChannelEndpoint) async -> SendOutcome
}

extension D360Client: CommandSender {}

typealias UnknownPolicy = Channel.UnknownPolicy

extension UnknownPolicy {
    /// Where statuses carry our tag, silence means something; elsewhere it means nothing.
    static func usual(of hosting: Hosting) -> UnknownPolicy { hosting == .cloud ? .resend : .deadLetter }
}

/// A number that we send from, or an account-level channel for many.
struct SendingChannel: Sendable {
    var identity: ChannelIdentity
    var endpoint: ChannelEndpoint
    var unknown: UnknownPolicy
    /// Messages a second; nil: the platform's default.
    var rate: Double?
    /// See `Channel.isBound`.
    var isBound: Bool

    init(
        _ identity: ChannelIdentity, _ endpoint: ChannelEndpoint, unknown: UnknownPolicy? = nil, rate: Double? = nil,
        isBound: Bool = false
    ) {
        self.identity = identity
        self.endpoint = endpoint
        self.unknown = unknown ?? .usual(of: identity.hosting)
        self.rate = rate
        self.isBound = isBound
    }
}
