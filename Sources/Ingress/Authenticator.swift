import FoundationEssentials

/// Checks a request's credentials against a channel's secrets.
///
/// Holds a list, so that several secrets can be valid while one is rotated. Fails closed: an empty list accepts nobody.
struct Authenticator: Sendable {
    private enum Credential: Sendable {
        case anybody
        /// `Authorization: Basic <token>`, the token as base64 text.
        case basic(token: [UInt8])
        case header(name: String, value: [UInt8])
    }

    private let credentials: [Credential]

    init(_ accepted: [WebhookAuthentication]) {
        credentials = accepted.map { authentication in
            switch authentication {
            case .none: .anybody
            case .basic(let user, let password):
                .basic(token: Array(Data("\(user):\(password)".utf8).base64EncodedString().utf8))
            case .header(let name, let value): .header(name: name, value: Array(value.utf8))
            }
        }
    }

    /// Compared for channels that do not exist, so that these take as long as a wrong password does.
    static let decoy = Authenticator([.basic(user: "nobody", password: "has this channel")])

    func accepts(_ head: RequestHead) -> Bool {
        var accepted = false
        for credential in credentials where Self.matches(credential, head) { accepted = true }
        return accepted
    }

    /// Blanks and tabs around a header's value are no part of it (RFC 9110, 5.5).
    private static func trimmed(_ value: some StringProtocol) -> ArraySlice<UInt8> {
        func isBlank(_ byte: UInt8) -> Bool { byte == UInt8(ascii: " ") || byte == UInt8(ascii: "\t") }
        var bytes = ArraySlice(value.utf8).drop(while: isBlank)
        while let last = bytes.last, isBlank(last) { bytes.removeLast() }
        return bytes
    }

    private static func matches(_ credential: Credential, _ head: RequestHead) -> Bool {
        switch credential {
        case .anybody:
            return true
        case .header(let name, let expected):
            return head.header(name).map { constantTimeEquals(Self.trimmed($0), expected) } ?? false
        case .basic(let expected):
            guard let value = head.header("authorization"), let space = value.utf8.firstIndex(of: UInt8(ascii: " ")),
                value[..<space].isSameToken(as: "basic")
            else { return false }
            return constantTimeEquals(Self.trimmed(value[space...]), expected)
        }
    }
}

/// Whether both are the same bytes. The time depends on the length of `given` alone, not on where they differ.
func constantTimeEquals(_ given: some Collection<UInt8>, _ expected: [UInt8]) -> Bool {
    guard !expected.isEmpty else { return given.isEmpty }
    var difference = given.count ^ expected.count
    var at = 0
    for byte in given {
        difference |= Int(byte ^ expected[at])
        at = at + 1 == expected.count ? 0 : at + 1
    }
    return difference == 0
}
