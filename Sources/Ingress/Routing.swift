import WhatsApp

/// Where a webhook's body belongs, and who may post it.
final class Route: Sendable {
    let splitter: WebhookSplitter
    let authenticator: Authenticator

    init(_ channel: IngressChannel, _ topics: Topics) {
        splitter = WebhookSplitter(channel: channel.identity, topics: topics, isBound: channel.isBound)
        authenticator = Authenticator([channel.authentication])
    }
}

/// Finds the channel of a request and checks that the sender may use it, all before the body is read.
struct Router: Sendable {
    private static let prefix: Substring = "/webhooks"

    private let channels: [Substring: Route]
    private let account: Route?

    init(_ configuration: IngressConfiguration, _ topics: Topics) {
        channels = Dictionary(
            uniqueKeysWithValues: configuration.channels.map { (Substring($0.identity.name), Route($0, topics)) })
        account = configuration.account.map { Route($0, topics) }
    }

    /// The channel, or the answer to give instead. A channel that does not exist is answered like a wrong password, so
    /// that names cannot be probed.
    func route(_ head: RequestHead) -> Result<Route, Answer> {
        guard let name = Self.channelName(in: head.path) else { return .failure(.notFound) }
        guard head.method == .post else { return .failure(.methodNotAllowed) }
        let route = name.isEmpty ? account : channels[name]
        guard (route?.authenticator ?? .decoy).accepts(head), let route else { return .failure(.unauthorized) }
        return .success(route)
    }

    /// `/webhooks` gives the empty name, `/webhooks/a` gives `a`; nil for all else.
    private static func channelName(in path: Substring) -> Substring? {
        guard path.utf8.starts(with: prefix.utf8) else { return nil }
        let rest = path[path.utf8.index(path.startIndex, offsetBy: prefix.utf8.count)...]
        guard let slash = rest.utf8.first else { return rest }
        let name = rest.dropFirst()
        guard slash == UInt8(ascii: "/"), !name.isEmpty, !name.utf8.contains(slash) else { return nil }
        return name
    }
}
