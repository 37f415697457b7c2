/// A handler's word on why a record failed and whether trying again can help.
public struct HandlerFailure: Error, Sendable {
    /// Header `_dlq.errors.disposition` of a dead letter.
    public enum Disposition: String, Sendable {
        case maxAttempts = "MAX_ATTEMPTS"
        case rejected = "REJECTED"
        case deserialization = "DESERIALIZATION"
        case expired = "EXPIRED"
        case unknown = "UNKNOWN"
    }

    public let isTransient: Bool
    public let disposition: Disposition
    /// One word of a small closed set, e.g. `timeout`, `131047`: metric label and `_dlq.errors.class`.
    public let errorClass: String
    /// For people, at most 1 KiB are kept; never a payload, a number or a key.
    public let message: String
    /// The other side's wish when to come again; replaces the policy's delay.
    public let retryAfter: Duration?

    /// Passing: the record is parked with the later ones of its key and tried again.
    public static func transient(
        _ errorClass: String, _ message: String, retryAfter: Duration? = nil
    ) -> HandlerFailure {
        HandlerFailure(
            isTransient: true, disposition: .maxAttempts, errorClass: errorClass, message: message,
            retryAfter: retryAfter)
    }

    /// Final: the record goes to the dead-letter topic at once.
    public static func permanent(
        _ errorClass: String, _ message: String, disposition: Disposition = .rejected
    ) -> HandlerFailure {
        HandlerFailure(
            isTransient: false, disposition: disposition, errorClass: errorClass, message: message, retryAfter: nil)
    }

    private init(
        isTransient: Bool, disposition: Disposition, errorClass: String, message: String, retryAfter: Duration?
    ) {
        self.isTransient = isTransient
        self.disposition = disposition
        self.errorClass = errorClass
        self.message = message
        self.retryAfter = retryAfter
    }
}
