import D360
import WhatsApp

/// Makes one attempt to send a command: what the processor needs of the outside world.
protocol CommandSender: Sendable {
    func send(_ command: OutboundCommand, to endpoint: ChannelEndpoint) async -> SendOutcome
}

extension D360Client: CommandSender {}

/// Which endpoint a command's channel means.
struct ChannelDirectory: Sendable {
    private var byNumber: [String: ChannelEndpoint] = [:]
    private var byName: [String: ChannelEndpoint] = [:]
    /// Channels that are configured without a number: they send for whatever number their webhooks name.
    private var open: Set<String> = []

    init(_ channels: [(identity: ChannelIdentity, endpoint: ChannelEndpoint)]) {
        for (identity, endpoint) in channels {
            byName[identity.name] = endpoint
            if let number = identity.phoneNumberID { byNumber[number] = endpoint } else { open.insert(identity.name) }
        }
    }

    /// The number's own endpoint: one webhook name can serve several numbers, so the number goes first. The name counts
    /// for a command that names no number, and for a channel that is bound to none; never for another number's channel,
    /// whose key would send from the wrong number.
    subscript(_ channel: ChannelIdentity) -> ChannelEndpoint? {
        guard let number = channel.phoneNumberID else { return byName[channel.name] }
        return byNumber[number] ?? (open.contains(channel.name) ? byName[channel.name] : nil)
    }
}
