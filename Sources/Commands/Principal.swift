import Crypto
import Foundation
import Synchronization

/// Somebody who may ask for messages to be sent.
public struct Principal: Sendable, Hashable {
    /// Part of the ids of his commands, so that his idempotency keys are his own.
    public let name: String
    /// Channels he may send from; nil for all.
    public let channels: Set<String>?

    public init(name: String, channels: Set<String>? = nil) {
        self.name = name
        self.channels = channels
    }

    func maySend(from channel: String) -> Bool { channels?.contains(channel) ?? true }
}

/// Tells principals by their bearer tokens; each may have several, so that one can be replaced without a gap.
///
/// Tokens are kept and compared as SHA-256 digests: every known token is looked at for every request, in a time that
/// depends on nothing but their number. Nobody is let in by an empty list.
public final class PrincipalRegister: Sendable {
    private let known: Mutex<[(digest: SHA256Digest, principal: Principal)]>

    public init(_ principals: [(principal: Principal, tokens: [String])]) {
        known = Mutex(Self.digests(principals))
    }

    /// From now on these and nobody else; requests that are in work end as they began.
    public func replace(_ principals: [(principal: Principal, tokens: [String])]) {
        let digests = Self.digests(principals)
        known.withLock { $0 = digests }
    }

    private static func digests(
        _ principals: [(principal: Principal, tokens: [String])]
    ) -> [(digest: SHA256Digest, principal: Principal)] {
        principals.flatMap { principal, tokens in
            tokens.filter { !$0.isEmpty }.map { (SHA256.hash(data: Array($0.utf8)), principal) }
        }
    }

    /// The principal of an `Authorization` header (RFC 6750, 2.1); nil for any other header and for none.
    func principal(authorization: String?) -> Principal? {
        guard let authorization, let space = authorization.utf8.firstIndex(of: UInt8(ascii: " ")),
            authorization[..<space].lowercased() == "bearer"
        else { return nil }
        let token = authorization[space...].drop { $0 == " " }
        let digest = SHA256.hash(data: Array(token.utf8))
        var found: Principal?
        for (candidate, principal) in known.withLock({ $0 }) where candidate == digest { found = principal }
        return found
    }
}
