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
    /// The record's own schedule; nil: the processor's.
    public let schedule: RetryPolicy?
    /// What is down; nil: the failure is the record's.
    public let scope: OutageScope?
    /// Whether an effect that began may have happened. Without one begun it means nothing.
    public let effect: EffectOutcome
    /// False for a wait that ends by itself: it uses up neither attempts nor age.
    public let isCounted: Bool
    /// How often effects of the record were begun in all; nil: as known before.
    public var begun: BegunEffects?
    /// What the handler knows beyond that, for its own `deadLettered`; nil for failures that the runtime makes.
    public let cause: (any Error)?

    /// Passing: the record is parked with the later ones of its key and tried again.
    ///
    /// - Parameters:
    ///   - retryAfter: replaces the delay of the schedule.
    ///   - schedule: delays and bounds for this failure instead of the processor's.
    ///   - effect: `.none` only if it is certain that an effect that began in this attempt or an earlier one did
    ///     not happen: the mark is taken away, and the next attempt is a first one again.
    public static func transient(
        _ errorClass: String, _ message: String, retryAfter: Duration? = nil, schedule: RetryPolicy? = nil,
        effect: EffectOutcome = .unknown, cause: (any Error)? = nil
    ) -> HandlerFailure {
        HandlerFailure(
            isTransient: true, disposition: .maxAttempts, errorClass: errorClass, message: message,
            retryAfter: retryAfter, schedule: schedule, effect: effect, cause: cause)
    }

    /// The record waits, with the later ones of its key, for something that ends by itself, e.g. its turn under a limit:
    /// neither attempts nor age are used up, and nothing but its handler ends it.
    public static func waiting(
        _ errorClass: String, _ message: String, retryAfter: Duration, effect: EffectOutcome = .unknown,
        cause: (any Error)? = nil
    ) -> HandlerFailure {
        HandlerFailure(
            isTransient: true, disposition: .maxAttempts, errorClass: errorClass, message: message,
            retryAfter: retryAfter, effect: effect, isCounted: false, cause: cause)
    }

    /// What the record needs is down, and not for this record alone. Neither attempts nor age are used up.
    ///
    /// Processor scope: the lane's partitions pause. Named: the record is parked with the later ones of its key, like all
    /// records of which `Processor.outageScope` gives that name. One record at a time tries again, after pauses that
    /// grow; anything but another outage ends it.
    public static func outage(
        _ errorClass: String, _ message: String, scope: OutageScope, retryAfter: Duration? = nil,
        effect: EffectOutcome = .unknown, cause: (any Error)? = nil
    ) -> HandlerFailure {
        HandlerFailure(
            isTransient: true, disposition: .maxAttempts, errorClass: errorClass, message: message,
            retryAfter: retryAfter, scope: scope, effect: effect, cause: cause)
    }

    /// Final: the record goes to the dead-letter topic at once.
    public static func permanent(
        _ errorClass: String, _ message: String, disposition: Disposition = .rejected, cause: (any Error)? = nil
    ) -> HandlerFailure {
        HandlerFailure(
            isTransient: false, disposition: disposition, errorClass: errorClass, message: message, retryAfter: nil,
            effect: .unknown, cause: cause)
    }

    private init(
        isTransient: Bool, disposition: Disposition, errorClass: String, message: String, retryAfter: Duration?,
        schedule: RetryPolicy? = nil, scope: OutageScope? = nil, effect: EffectOutcome, isCounted: Bool = true,
        cause: (any Error)?
    ) {
        self.isTransient = isTransient
        self.disposition = disposition
        self.errorClass = errorClass
        self.message = message
        self.retryAfter = retryAfter
        self.schedule = schedule
        self.scope = scope
        self.effect = effect
        self.isCounted = isCounted
        self.cause = cause
    }
}
