import FoundationEssentials

/// Checks a request against what a channel demands (`WebhookAuthentication`), in two steps: the head before any of the
/// body is read, then the signatures over the whole body as it was sent, before anything looks into it.
///
/// Fails closed: an empty list accepts nobody.
struct Authenticator: Sendable {
    /// Shown by the head: a header, and what it may say.
    private struct Demand: Sendable {
        let isBasic: Bool
        let header: [UInt8]
        var accepted: [[UInt8]] = []

        func isMet(by head: RequestHead) -> Bool {
            // Blanks around it are no part of a header's value, and gone already.
            guard var given = head.headerBytes(header) else { return false }
            if isBasic {
                guard let space = given.firstIndex(of: .space), given[..<space].isSameToken(as: "basic") else {
                    return false
                }
                given = given[space...].drop(while: \.isBlank)
            }
            var isMet = false
            for index in accepted.indices where constantTimeEquals(given, accepted[index]) { isMet = true }
            return isMet
        }
    }

    private var demands: [Demand] = []
    private let signatures: [BodySignature]
    private let acceptsAnybody: Bool

    /// - Parameter count: keys that signatures are compared with, at least.
    init(_ accepted: [WebhookAuthentication], comparing count: Int = 1) {
        acceptsAnybody = if case .none? = accepted.first { accepted.count == 1 } else { false }
        signatures = Self.secrets(of: accepted).map { BodySignature($0.key, secrets: $0.value, comparing: count) }
        for authentication in accepted {
            switch authentication {
            case .basic(let user, let password):
                // The token as base64 text.
                let token = Array(Data("\(user):\(password)".utf8).base64EncodedString().utf8)
                accept(token, in: "authorization", isBasic: true)
            case .header(let name, let value): accept(Array(value.utf8), in: name.lowercased(), isBasic: false)
            case .signature, .none: break
            }
        }
    }

    /// Of signatures, by their header.
    static func secrets(of accepted: [WebhookAuthentication]) -> [WebhookAuthentication.Signature: [String]] {
        var secrets: [WebhookAuthentication.Signature: [String]] = [:]
        for case .signature(let signature, let secret) in accepted { secrets[signature, default: []].append(secret) }
        return secrets
    }

    private mutating func accept(_ value: [UInt8], in header: String, isBasic: Bool) {
        let header = Array(header.utf8)
        if let known = demands.firstIndex(where: { $0.header == header && $0.isBasic == isBasic }) {
            demands[known].accepted.append(value)
        } else {
            demands.append(Demand(isBasic: isBasic, header: header, accepted: [value]))
        }
    }

    /// Compared for channels that do not exist, so that these take as long as a wrong password does.
    static let decoy = Authenticator([.basic(user: "nobody", password: "has this channel")])

    /// What is left to check once the body is there: nil when the head already refuses the request.
    func check(_ head: RequestHead) -> PendingSignatures? {
        guard acceptsAnybody || !demands.isEmpty || !signatures.isEmpty else { return nil }
        var isAccepted = true
        var pending = PendingSignatures(isProof: !demands.isEmpty)
        for index in demands.indices where !demands[index].isMet(by: head) { isAccepted = false }
        for signature in signatures {
            guard let claim = head.header(signature.header.rawValue).flatMap({ ClaimedSignature($0) }) else { return nil }
            pending.claims.append((signature, claim))
        }
        return isAccepted ? pending : nil
    }
}

/// The signatures that a request claims for the body which is still to come. Empty where none is demanded.
struct PendingSignatures {
    fileprivate(set) var claims: [(signature: BodySignature, claim: ClaimedSignature)] = []
    /// Whether the head has shown a credential already, so that not just anybody sends this body.
    let isProof: Bool

    fileprivate init(isProof: Bool) { self.isProof = isProof }

    /// For a request that claims some signature, which is compared with `nobodys`. Nil for one that claims none.
    init?(in head: RequestHead, comparedWith nobodys: BodySignature) {
        let claims = WebhookAuthentication.Signature.allCases.lazy.compactMap { signature in
            head.header(signature.rawValue).flatMap { ClaimedSignature($0) }
        }
        guard let claim = claims.first else { return nil }
        self.init(isProof: false)
        self.claims = [(nobodys, claim)]
    }

    /// Secrets that the body is compared with: what the check costs.
    var comparisons: Int { claims.reduce(0) { $0 + $1.signature.keyCount } }

    func areValid(for body: RawSpan) -> Bool {
        var areValid = true
        for (signature, claim) in claims where !signature.isValid(claim, of: body) { areValid = false }
        return areValid
    }
}
