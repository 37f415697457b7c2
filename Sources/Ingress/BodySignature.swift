import Crypto
import FoundationEssentials

/// The secrets with which a channel's bodies may be signed, and the check itself.
struct BodySignature: Sendable {
    let header: WebhookAuthentication.Signature
    private let keys: [SymmetricKey]

    var keyCount: Int { keys.count }

    /// - Parameter count: keys to compare with, at least: what is missing nobody knows.
    init(_ header: WebhookAuthentication.Signature, secrets: [String], comparing count: Int = 1) {
        self.header = header
        keys = secrets.map { SymmetricKey(data: Data($0.utf8)) }
            + (secrets.count..<max(count, secrets.count)).map { _ in SymmetricKey(size: .bits256) }
    }

    /// Whether one of the secrets gives `claimed` for `body`. Every one is tried, so that the time does not tell which one
    /// it was; and as many for every channel, so that it does not tell channels apart.
    func isValid(_ claimed: ClaimedSignature, of body: RawSpan) -> Bool {
        var isValid = false
        for key in keys {
            let code = body.withUnsafeBytes { bytes in
                var hmac = HMAC<SHA256>(key: key)
                hmac.update(data: bytes)
                return hmac.finalize()
            }
            if constantTimeEquals(claimed.bytes, Array(code)) { isValid = true }
        }
        return isValid
    }
}

/// What a request's header says the signature is.
struct ClaimedSignature: Sendable {
    let bytes: [UInt8]

    /// 64 hexadecimal digits in either case, after an optional `sha256=`; nil for all else.
    init?(_ header: String) {
        var digits = ArraySlice(header.utf8)
        if digits.starts(with: "sha256=".utf8) { digits = digits.dropFirst(7) }
        guard digits.count == 2 * SHA256.byteCount else { return nil }
        var bytes: [UInt8] = []
        bytes.reserveCapacity(SHA256.byteCount)
        var high: UInt8?
        for digit in digits {
            guard let value = digit.hexDigitValue.map(UInt8.init) else { return nil }
            if let first = high {
                bytes.append(first << 4 | value)
                high = nil
            } else {
                high = value
            }
        }
        self.bytes = bytes
    }
}
