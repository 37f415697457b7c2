import EventLog

/// What an error of the send API asks of the sender.
public enum ErrorClass: String, Sendable, Hashable, CaseIterable {
    /// Try again with backoff.
    case retry
    /// Try again two or three times, then give up: often the message's own fault under a vague name.
    case retryFew = "retry-few"
    /// Try again, this recipient only; others go on.
    case retryRecipient = "retry-recipient"
    /// The number or account cannot send until somebody acts; nothing is wrong with the message.
    case hold
    /// This message will never be taken.
    case permanent
    /// This message will never be taken, and neither will others of its template.
    case template
    /// A marketing message the platform holds back; sending it again makes it worse.
    case marketing
    /// About setting up, not about sending: says nothing of the number, and is treated like a code that nobody knows.
    case setup
    /// Met in webhooks only.
    case inbound

    /// Whether sending the same message again can succeed.
    public var isRetriable: Bool {
        switch self {
        case .retry, .retryFew, .retryRecipient, .hold, .setup, .inbound: true
        case .permanent, .template, .marketing: false
        }
    }
}

/// How far an error reaches: what else would meet it now.
public enum ErrorScope: String, Sendable, Hashable, CaseIterable {
    /// The one message.
    case message
    /// Messages of this number to this recipient.
    case recipient
    /// Messages of this template.
    case template
    /// Everything of the number.
    case number
    /// Everything of all numbers of the account.
    case account
    /// Everything sent with this app: all we send.
    case app
}

/// One row of the catalogue.
public struct ErrorCatalogueEntry: Sendable, Hashable {
    public let codes: ClosedRange<Int64>
    public let hosting: Hosting
    /// HTTP statuses it was met with; none when it was only met in webhooks or the source names none.
    public let httpStatuses: [Int]
    public let errorClass: ErrorClass
    public let scope: ErrorScope
    /// How long to wait before the next try when the answer does not say; nil leaves it to the backoff.
    public let pause: Duration?
    /// For people.
    public let meaning: String
}

/// The errors of the send API as data: the table in `ErrorCatalogue+Table.swift` and the rules to read an answer.
///
/// An answer is judged by its body before its HTTP status, because the same error comes with several statuses and one
/// status (400 above all) stands for rate limits, debts and faults alike.
public enum ErrorCatalogue {
    /// The row of a code as it comes in an answer or in a `failed` status. No code means one thing on one hosting and
    /// another thing on the other, so a code that only the other hosting's rows name is taken from there.
    public static func entry(code: Int64, hosting: Hosting) -> ErrorCatalogueEntry? {
        let found = entries.filter { $0.codes.contains(code) }
        // The narrowest row wins: single codes stand apart from the range around them.
        let ranked = found.sorted { $0.codes.count < $1.codes.count }
        return ranked.first { $0.hosting == hosting } ?? ranked.first
    }

    /// What a failed answer means. Never fails: an answer that says nothing known is `.retryFew`, so that it is tried
    /// again a little and then given up in the open.
    ///
    /// - Parameters:
    ///   - retryAfter: the answer's `Retry-After` header, in seconds or as a date (RFC 9110, 10.2.3).
    ///   - now: what a date is compared with, the answer's own `Date` where it has one.
    public static func classify(
        httpStatus: Int, body: [UInt8], hosting: Hosting, retryAfter: String? = nil, now: Timestamp = .now
    ) -> ClassifiedError {
        let wait = retryAfter.flatMap { Self.wait($0, now) }
        let answer = ErrorAnswer(body)
        func error(
            _ code: Int64?, _ errorClass: ErrorClass, _ scope: ErrorScope, _ meaning: String, pause: Duration? = nil
        ) -> ClassifiedError {
            ClassifiedError(
                code: code, httpStatus: httpStatus, errorClass: errorClass, scope: scope, meaning: meaning,
                detail: answer?.detail, retryAfter: wait ?? pause)
        }
        // Of several codes the first that is known; 360dialog's words go before a code that is the other hosting's.
        let codes = answer?.codes ?? []
        let known = codes.lazy.compactMap { code in entry(code: code, hosting: hosting).map { (code, $0) } }.first
        if let (code, entry) = known, entry.hosting == hosting {
            return error(code, entry.errorClass, entry.scope, entry.meaning, pause: entry.pause)
        }
        if let text = answer?.text?.lowercased(),
            let rule = textRules.first(where: { rule in rule.words.allSatisfy { text.contains($0) } })
        {
            return error(codes.first, rule.errorClass, rule.scope, rule.meaning)
        }
        if let (code, entry) = known {
            return error(code, entry.errorClass, entry.scope, entry.meaning, pause: entry.pause)
        }
        if let code = codes.first {
            return error(code, .retryFew, .message, "an error code that the catalogue does not know")
        }
        let rule = statusRule(httpStatus)
        return error(nil, rule.0, ErrorCatalogueEntry.usualScope(of: rule.0), rule.1)
    }

    /// What a `failed` status means, by the first of its codes that is known; nil when none is.
    public static func classify(statusCodes: [Int64], hosting: Hosting) -> ClassifiedError? {
        for code in statusCodes {
            guard let entry = entry(code: code, hosting: hosting) else { continue }
            return ClassifiedError(
                code: code, errorClass: entry.errorClass, scope: entry.scope, meaning: entry.meaning,
                retryAfter: entry.pause)
        }
        return nil
    }

    /// What an HTTP status means when the body says nothing.
    private static func statusRule(_ status: Int) -> (ErrorClass, String) {
        switch status {
        case 401: (.hold, "the API key is not accepted")
        case 402: (.hold, "payment required")
        case 403: (.permanent, "the endpoint is blocked")
        case 404, 405: (.permanent, "wrong path or method")
        case 408: (.retry, "the API gave up waiting for the request")
        case 413, 415: (.permanent, "the API does not take a body of this size or type")
        case 429: (.retry, "too many requests")
        // 555 is 360dialog's own: the server restarts.
        case 500...599: (.retry, "the API is down or restarts")
        default: (.retryFew, "an answer that the catalogue does not know")
        }
    }

    /// An hour at most: a wish beyond it is not worth keeping a message for.
    private static func wait(_ header: String, _ now: Timestamp) -> Duration? {
        let most = Duration.seconds(3_600)
        if let seconds = Int64(header) { return seconds < 0 ? nil : .seconds(min(seconds, 3_600)) }
        return HTTPDate.parse(header).map { min(most, max(.zero, $0 - now)) }
    }
}

/// An error of the send API, judged.
///
/// `meaning` is ours and safe to log. `detail` is the API's own text, shortened and without longer numbers; it belongs
/// into records, not into logs.
public struct ClassifiedError: Error, Sendable, Hashable {
    public var code: Int64?
    public var httpStatus: Int?
    public var errorClass: ErrorClass
    public var scope: ErrorScope
    public var meaning: String
    public var detail: String?
    public var retryAfter: Duration?

    public init(
        code: Int64? = nil, httpStatus: Int? = nil, errorClass: ErrorClass, scope: ErrorScope? = nil, meaning: String,
        detail: String? = nil, retryAfter: Duration? = nil
    ) {
        self.code = code
        self.httpStatus = httpStatus
        self.errorClass = errorClass
        self.scope = scope ?? ErrorCatalogueEntry.usualScope(of: errorClass)
        self.meaning = meaning
        self.detail = detail
        self.retryAfter = retryAfter
    }

    /// The 24 h window after the customer's last message is closed: a template may still go.
    public var meansWindowClosed: Bool { code == 131047 || code == 470 }

    /// The person has stopped marketing messages of this business.
    public var meansMarketingStopped: Bool { code == 131050 }

    /// One word for metrics and dead letters: the code, else the status, else the class.
    public var label: String {
        if let code { return String(code) }
        if let httpStatus { return "http-\(httpStatus)" }
        return errorClass.rawValue
    }
}
