/// What went wrong at the log. `code` steers the caller; `detail` is for people and safe to log: it names topics,
/// groups, files and the library's own words, never keys or values.
public struct LogError: Error, Sendable, CustomStringConvertible {
    public struct Code: Sendable, Hashable {
        private enum Base: String {
            case queueFull, notDurable, recordTooLarge, unknownTopic, invalidTopic, topicMismatch, fenced
            case offsetOutOfRange, metadataTooLarge, groupActive, invalidConfiguration, unavailable, storage
            case unsupported, closed, fatal
        }
        private let base: Base
        private init(_ base: Base) { self.base = base }

        /// The bounded queue is full: push back.
        public static let queueFull = Code(.queueFull)
        /// The log did not take the record; sending it again is right.
        public static let notDurable = Code(.notDurable)
        /// Larger than the topic's limit: will never be taken.
        public static let recordTooLarge = Code(.recordTooLarge)
        public static let unknownTopic = Code(.unknownTopic)
        public static let invalidTopic = Code(.invalidTopic)
        /// The topic exists with another partition count.
        public static let topicMismatch = Code(.topicMismatch)
        /// Somebody else owns the partition by now.
        public static let fenced = Code(.fenced)
        public static let offsetOutOfRange = Code(.offsetOutOfRange)
        public static let metadataTooLarge = Code(.metadataTooLarge)
        /// The group has live members.
        public static let groupActive = Code(.groupActive)
        public static let invalidConfiguration = Code(.invalidConfiguration)
        /// Brokers out of reach or time-out: later it may work.
        public static let unavailable = Code(.unavailable)
        /// Disk full, I/O error, damaged file.
        public static let storage = Code(.storage)
        /// This log (or this broker) cannot do it.
        public static let unsupported = Code(.unsupported)
        public static let closed = Code(.closed)
        /// The client must be made anew.
        public static let fatal = Code(.fatal)

        /// One word of a closed set, for metric labels.
        public var name: String { base.rawValue }
    }

    public let code: Code
    public let detail: String

    public init(_ code: Code, _ detail: String) {
        self.code = code
        self.detail = detail
    }

    /// Trying again later may succeed.
    public var isRetriable: Bool { [.queueFull, .notDurable, .unavailable, .storage].contains(code) }
    /// The object that threw is of no more use.
    public var isFatal: Bool { [.closed, .fatal].contains(code) }
    public var description: String { "\(code.name): \(detail)" }
}
