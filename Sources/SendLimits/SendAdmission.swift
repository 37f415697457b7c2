import WhatsApp

/// What wants to be sent.
public struct SendAdmission: Sendable, Hashable {
    /// Replies leave before bulk on one number; between numbers there is no difference.
    public enum Kind: Sendable, Hashable {
        case reply, bulk
    }

    /// `phone_number_id` of the sending number.
    public var number: String
    /// The conversation key, which names number and user. Of several messages of one pair that wait at once none is
    /// promised to go first: who needs order asks for one after the other.
    public var pair: String
    /// Name and language of the template, as the caller likes to write them.
    public var template: String?
    public var kind: Kind

    public init(number: String, pair: String, template: String? = nil, kind: Kind) {
        self.number = number
        self.pair = pair
        self.template = template
        self.kind = kind
    }
}

/// Why a message may not be sent now.
public struct SendRefusal: Error, Sendable, Hashable {
    public enum Reason: String, Sendable, Hashable, CaseIterable {
        /// The number's or its account's rate, for longer than a message waits here.
        case rate
        /// The pair limit, for longer than a message waits here.
        case pair
        /// The number is held: key, payment, quality. Somebody must act.
        case held
        /// The template is paused, disabled or missing.
        case templatePaused = "template-paused"
        /// As many messages wait already as may.
        case full
        /// The caller gave up.
        case cancelled
    }

    public var reason: Reason
    /// When to come again.
    public var retryAfter: Duration

    public init(_ reason: Reason, retryAfter: Duration = .zero) {
        self.reason = reason
        self.retryAfter = retryAfter
    }
}

/// How a message that was let go ended, as far as limits are concerned.
public enum SendReport: Sendable, Hashable {
    case accepted
    /// Accepted, and the API says that the message's template is paused.
    case acceptedAndPaused
    /// The API answered with an error.
    case failed(ClassifiedError)
    /// No answer, or one that nobody understands.
    case noAnswer
}

extension ClassifiedError {
    /// The platform took the message not now because too many were sent, or because the number is busy for a moment: the
    /// limiter knows for how long, and the message itself is not to blame.
    public var meansLimit: Bool {
        switch LimitSignal(self) {
        case .numberRate, .accountRate, .everyRate, .pair, .pause: true
        case .hold, .template, nil: false
        }
    }
}

/// What an error says about limits.
enum LimitSignal: Sendable, Hashable {
    /// Too fast for this number, this account, or anybody with our app.
    case numberRate, accountRate, everyRate
    case pair
    /// The number cannot send until somebody acts.
    case hold(Duration)
    /// The number is busy by itself for a moment.
    case pause(Duration)
    case template

    /// A held number needs a person; a try now and then finds out when it was there.
    static let holdTime = Duration.seconds(300)
    /// An upgrade blocks a number up to a minute ("Throughput").
    static let maintenanceTime = Duration.seconds(30)

    /// Nil when the error concerns its message alone. Codes as in `ErrorCatalogue`; an answer without a code but with
    /// status 429, and 360dialog's own limit, which it answers with 400 and a text, are about the number.
    init?(_ error: ClassifiedError) {
        switch error.code {
        case 130_429, 429, 613, 1_015: self = .numberRate
        case 80_007: self = .accountRate
        case 4: self = .everyRate
        case 131_056: self = .pair
        case 131_057: self = .pause(error.retryAfter ?? Self.maintenanceTime)
        default:
            switch error.errorClass {
            case .hold: self = .hold(max(Self.holdTime, error.retryAfter ?? .zero))
            case .template: self = .template
            case .retry where error.code == nil && (error.httpStatus == 429 || error.httpStatus == 400):
                self = .numberRate
            default: return nil
            }
        }
    }
}
