import WhatsApp

/// Where a webhook's body belongs, and who may post it.
final class Route: Sendable {
    let splitter: WebhookSplitter
    let authenticator: Authenticator
    let handshake: Handshake
    /// Whether whole bodies are kept on the raw topic.
    let keepsRaw: Bool

    /// - Parameter count: keys that signatures are compared with, at least.
    init(_ channel: IngressChannel, _ topics: Topics, maxNesting: Int, comparing count: Int) {
        splitter = WebhookSplitter(
            channel: channel.identity, topics: topics, isBound: channel.isBound, maxDepth: maxNesting)
        authenticator = Authenticator(channel.authentication, comparing: count)
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
    /// For bodies whose signature will not match, see `route`. Nil where no channel demands signatures.
    private let decoy: (route: Route, signature: BodySignature)?

    init(_ channels: IngressChannels, _ topics: Topics, maxNesting: Int) {
        let all = channels.named + [channels.account].compactMap { $0 }
        // As many for each channel as for the one with the most.
        let keys = all.flatMap { Authenticator.secrets(of: $0.authentication).values.map(\.count) }.max()
        func route(_ channel: IngressChannel) -> Route {
            Route(channel, topics, maxNesting: maxNesting, comparing: keys ?? 1)
        }
        self.channels = Dictionary(
            uniqueKeysWithValues: channels.named.map { (ArraySlice($0.identity.name.utf8), route($0)) })
        account = channels.account.map(route)
        decoy = keys.map { keys in
            let nobody = IngressChannel(identity: .init(name: "nobody", hosting: .cloud), authentication: [])
            return (route(nobody), BodySignature(.meta, secrets: [], comparing: keys))
        }
    }

    /// The name of the channel that a request is for, whether or not there is one; throws when it is for none.
    static func channel(of head: RequestHead) throws(Answer) -> ArraySlice<UInt8> {
        guard let name = channelName(in: head.path) else { throw .notFound }
        guard head.method == .post else { throw .methodNotAllowed }
        return name
    }

    /// The channel and the signatures still to be checked; throws the answer to give instead.
    ///
    /// Names cannot be probed: a channel that does not exist is answered like a wrong password. And because a channel
    /// whose bodies are signed must read them before it can say no, so does every channel that will say no, when the
    /// request has a signature and any channel demands one.
    func route(to name: ArraySlice<UInt8>, _ head: RequestHead) throws(Answer) -> (Route, PendingSignatures) {
        let route = self[name]
        if let signatures = (route?.authenticator ?? .decoy).check(head), let route { return (route, signatures) }
        if let decoy, let signatures = PendingSignatures(in: head, comparedWith: decoy.signature) {
            return (decoy.route, signatures)
        }
        throw .unauthorized
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
