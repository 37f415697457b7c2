/// Meta's check of a new webhook address: `GET …?hub.mode=subscribe&hub.verify_token=…&hub.challenge=…` wants the
/// challenge back as plain text, with 200, when the token is ours, and 403 otherwise (Meta, "Webhooks", set-up).
struct Handshake: Sendable {
    /// Longest challenge sent back; Meta's are about ten digits.
    static let maxChallengeBytes = 256

    private let tokens: [[UInt8]]

    /// Without tokens every handshake fails.
    init(tokens: [String]) { self.tokens = tokens.map { Array($0.utf8) } }

    /// For channels that do not exist or have no token, so that these are answered alike.
    static let decoy = Handshake(tokens: [])

    func challenge(_ request: HandshakeRequest) -> Result<String, Answer> {
        var isOurs = false
        for token in tokens where constantTimeEquals(request.token.utf8, token) { isOurs = true }
        guard isOurs, request.mode == "subscribe" else { return .failure(.forbidden) }
        // It goes into an answer: printable ASCII and nothing else.
        guard (1...Self.maxChallengeBytes).contains(request.challenge.utf8.count),
            request.challenge.utf8.allSatisfy({ (0x20...0x7E).contains($0) })
        else { return .failure(.malformedRequest) }
        return .success(request.challenge)
    }
}

/// The three parameters of a handshake.
struct HandshakeRequest {
    private(set) var mode = ""
    private(set) var token = ""
    private(set) var challenge = ""

    /// Nil when the query has no `hub.mode`: then it is some other GET. Of a repeated parameter the first counts.
    init?(query: Substring) {
        var values: [String: String] = [:]
        for parameter in query.split(separator: "&", maxSplits: 16) {
            let parts = parameter.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, let name = Self.decoded(parts[0]), let value = Self.decoded(parts[1]) else {
                continue
            }
            values[name] = values[name] ?? value
        }
        guard let mode = values["hub.mode"] else { return nil }
        self.mode = mode
        token = values["hub.verify_token"] ?? ""
        challenge = values["hub.challenge"] ?? ""
    }

    /// Percent-encoding, with `+` for a blank as forms have it; nil when it is broken or no UTF-8.
    private static func decoded(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            switch byte {
            case UInt8(ascii: "+"): bytes.append(UInt8(ascii: " "))
            case UInt8(ascii: "%"):
                guard let high = rest.popFirst()?.hexDigitValue, let low = rest.popFirst()?.hexDigitValue else {
                    return nil
                }
                bytes.append(UInt8(high << 4 | low))
            default: bytes.append(byte)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
