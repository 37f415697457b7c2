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

    init(_ channels: [(identity: ChannelIdentity, endpoint: ChannelEndpoint)]) {
        for (identity, endpoint) in channels {
            byName[identity.name] = endpoint
            if let number = identity.phoneNumberID { byNumber[number] = endpoint }
        }
    }

    /// The number's own endpoint: one webhook name can serve several numbers, so the number goes first, and a name
    /// counts only for a command that names no number.
    subscript(_ channel: ChannelIdentity) -> ChannelEndpoint? {
        guard let number = channel.phoneNumberID else { return byName[channel.name] }
        return byNumber[number]
    }
}
