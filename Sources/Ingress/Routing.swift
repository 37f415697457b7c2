import WhatsApp

/// Where a webhook's body belongs, and who may post it.
final class Route: Sendable {
    let splitter: WebhookSplitter
    let authenticator: Authenticator
    let handshake: Handshake
    /// Whether whole bodies are kept on the raw topic.
    let keepsRaw: Bool

    init(_ channel: IngressChannel, _ topics: Topics, maxNesting: Int) {
        splitter = WebhookSplitter(
            channel: channel.identity, topics: topics, isBound: channel.isBound, maxDepth: maxNesting)
        authenticator = Authenticator(channel.authentication)
        handshake = Handshake(tokens: channel.verifyTokens)
        keepsRaw = channel.keepsRaw
    }
}

/// Finds the channel of a request and checks that the sender may use it, all before the body is read.
final class Router: Sendable {
    private static let prefix: StaticString = "/webhooks"

    /// By name in bytes: most requests need no text of theirs.
    private let channels: [ArraySlice<UInt8>: Route]
    private let account: Route?

    init(_ channels: IngressChannels, _ topics: Topics, maxNesting: Int) {
        self.channels = Dictionary(
            uniqueKeysWithValues: channels.named.map {
                (ArraySlice($0.identity.name.utf8), Route($0, topics, maxNesting: maxNesting))
            })
        account = channels.account.map { Route($0, topics, maxNesting: maxNesting) }
    }

    /// The channel and the signatures still to be checked; throws the answer to give instead. A channel that does not
    /// exist is answered like a wrong password, so that names cannot be probed.
    func route(_ head: RequestHead) throws(Answer) -> (Route, PendingSignatures) {
        guard let name = Self.channelName(in: head.path) else { throw .notFound }
        guard head.method == .post else { throw .methodNotAllowed }
        let route = self[name]
        guard let signatures = (route?.authenticator ?? .decoy).check(head), let route else { throw .unauthorized }
        return (route, signatures)
    }

    /// The text to answer a GET of Meta's handshake with, or the answer to give instead; nil when it is none.
    func challenge(_ head: RequestHead) -> Result<String, Answer>? {
        guard head.method == .get, let name = Self.channelName(in: head.path),
            let request = head.query.flatMap(HandshakeRequest.init(query:))
        else { return nil }
        return (self[name]?.handshake ?? .decoy).challenge(request)
    }

    private subscript(name: ArraySlice<UInt8>) -> Route? { name.isEmpty ? account : channels[name] }

    /// `/webhooks` gives the empty name, `/webhooks/a` gives `a`; nil for all else.
    private static func channelName(in path: ArraySlice<UInt8>) -> ArraySlice<UInt8>? {
        guard path.starts(with: prefix) else { return nil }
        let rest = path.dropFirst(prefix.utf8CodeUnitCount)
        guard let slash = rest.first else { return rest }
        let name = rest.dropFirst()
        guard slash == UInt8(ascii: "/"), !name.isEmpty, !name.contains(slash) else { return nil }
        return name
    }
}
