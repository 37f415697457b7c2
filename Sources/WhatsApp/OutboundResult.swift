import EventLog

/// How a command ended: the value of the `outbound-results` topic, keyed by the command's conversation.
///
///     {"channel":{…},"result":{"command_id","outcome","message_id"?,"message_status"?,"attempts","first_attempt_at",
///      "finished_at","purpose","content"?,"mark"?,"fallback"?,"attempts_at_least"?,"resent_after_unknown"?,"opaque"?,
///      "error":{"code"?,"class","http_status"?,"message"}?}}
public struct OutboundResult: Sendable, Hashable {
    public enum Outcome: String, Sendable, Hashable, CaseIterable {
        /// The API took it and gave a message id; statuses tell the rest.
        case accepted
        /// Not sent, and it will not be.
        case rejected
        /// It may have been sent, and nobody can tell.
        case unknown
        /// Not sent in time.
        case expired
    }

    /// Why there is no message.
    public struct Failure: Sendable, Hashable {
        public var code: Int64?
        /// `ErrorClass`, or a word of the sender's own.
        public var errorClass: String
        public var httpStatus: Int?
        public var message: String

        public init(code: Int64? = nil, errorClass: String, httpStatus: Int? = nil, message: String) {
            self.code = code
            self.errorClass = errorClass
            self.httpStatus = httpStatus
            self.message = message
        }

        public init(_ error: ClassifiedError) {
            self.init(
                code: error.code, errorClass: error.errorClass.rawValue, httpStatus: error.httpStatus,
                message: error.detail.map { "\(error.meaning): \($0)" } ?? error.meaning)
        }
    }

    /// Nil, like `purpose`, where the command could not be read so far.
    public var channel: ChannelIdentity?
    public var conversationKey: String
    public var commandID: String
    public var outcome: Outcome
    public var messageID: String?
    /// The API's word beside a template's id, e.g. `held_for_quality_assessment`.
    public var messageStatus: String?
    public var attempts: Int
    /// Of a command without attempts: when it ended.
    public var firstAttemptAt: Timestamp
    /// The instance that began did not live to tell all: there may have been more attempts, and earlier ones.
    public var attemptsAtLeast = false
    public var finishedAt: Timestamp
    public var purpose: OutboundCommand.Purpose?
    /// `OutboundCommand.contentHash`: tells a copy of the command from another one under the same id.
    public var contentHash: String?
    /// The command marked a message as read; there is no message id.
    public var isMark: Bool
    /// The template went out instead of the message, because the window was closed.
    public var usedFallback = false
    /// Times that the command was sent again although nobody knew whether it had been accepted: the message may have
    /// arrived more than once.
    public var resentAfterUnknown = 0
    /// The caller's own note.
    public var opaque: String?
    public var error: Failure?
    public var correlationID: String?
    public var traceparent: String?

    public init(
        of command: OutboundCommand, outcome: Outcome, messageID: String? = nil, messageStatus: String? = nil,
        attempts: Int, firstAttemptAt: Timestamp, finishedAt: Timestamp, error: Failure? = nil
    ) {
        channel = command.channel
        conversationKey = command.conversationKey
        commandID = command.id
        self.outcome = outcome
        self.messageID = messageID
        self.messageStatus = messageStatus
        self.attempts = attempts
        self.firstAttemptAt = firstAttemptAt
        self.finishedAt = finishedAt
        purpose = command.purpose
        contentHash = command.contentHash
        isMark = command.isMark
        opaque = command.opaque
        self.error = error
        correlationID = command.correlationID ?? command.id
        traceparent = command.traceparent
    }

    /// The end of a command that cannot be read. Nil when not even its id and conversation can: nobody would know whose
    /// result it is.
    public init?(ofUnreadable record: StoredRecord, at now: Timestamp) {
        let event = try? CloudEvent(record.headers)
        let json = record.value.flatMap { try? JSON(parsing: $0) }
        let command = json?["command"]
        guard let id = event?.id ?? command?["id"]?.string, !id.isEmpty, let key = record.key, !key.isEmpty,
            let conversationKey = String(validating: key, as: UTF8.self)
        else { return nil }
        channel = try? ChannelIdentity(outbound: json?["channel"])
        self.conversationKey = conversationKey
        commandID = id
        outcome = .rejected
        attempts = 0
        (firstAttemptAt, finishedAt) = (now, now)
        purpose = command?["purpose"]?.string.flatMap(OutboundCommand.Purpose.init(rawValue:))
        isMark = command?["message"].map(OutboundCommand.isMark) ?? false
        opaque = command?["opaque"]?.string
        correlationID = event?.correlationID ?? id
        traceparent = event?.traceparent
    }

    /// `ce_id`: the same end of the same command has one identity, however often it is published.
    public var eventID: String {
        var hash = IdentityHash("outbound-result")
        hash.add(commandID)
        hash.add(outcome.rawValue)
        if let messageID { hash.add(messageID) } else { hash.addAbsent() }
        return hash.hex()
    }
}
