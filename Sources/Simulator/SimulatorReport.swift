/// What the simulator counted since it started. Its JSON is the answer of `GET /simulator/report`.
public struct SimulatorReport: Sendable, Codable, Hashable {
    public var customers = Customers()
    public var webhooks = Webhooks()
    public var sends = Sends()

    public struct Customers: Sendable, Codable, Hashable {
        /// Messages written, injected ones included.
        public var written = 0
        /// Messages not written because too many events wait for their 200.
        public var heldBack = 0
        /// Of `written`: answered 200 by the webhook.
        public var acknowledged = 0
        /// Of `written`: the rules should answer it.
        public var expectingReply = 0
        /// Of `expectingReply`: at least one reply came.
        public var replied = 0
        /// Of `expectingReply`: no reply yet.
        public var unanswered = 0
        /// Ids of the oldest unanswered messages, at most 100.
        public var unansweredIDs: [String] = []
        /// Replies beyond the first to the same message: quoted twice or more.
        public var repeatedReplies = 0
        /// Replies that answer no known message.
        public var unprompted = 0
        /// From writing a message to accepting its first reply.
        public var replyLatency = Latency()

        public init() {}
    }

    public struct Webhooks: Sendable, Codable, Hashable {
        /// Events to deliver so far: customer messages and statuses.
        public var events = 0
        /// Calls made.
        public var attempts = 0
        /// Calls beyond the first of an event.
        public var redeliveries = 0
        /// Events answered 200.
        public var acknowledged = 0
        /// Events given up for their age.
        public var abandoned = 0
        /// Events that are not yet answered 200, planned statuses included.
        public var waiting = 0
        /// Statuses that were lost on purpose, see `FaultBehaviour`; no part of `events`.
        public var lost = 0
        /// Calls by the status they were answered with; `none` when no answer came in time.
        public var answers: [String: Int] = [:]
        /// Of calls that were answered.
        public var latency = Latency()

        public init() {}
    }

    public struct Sends: Sendable, Codable, Hashable {
        public var accepted = 0
        /// Refused requests by HTTP status.
        public var refused: [String: Int] = [:]
        /// Refused requests by the platform's code, where it names one.
        public var refusedCodes: [String: Int] = [:]
        /// Accepted messages whose answer was withheld on purpose, see `FaultBehaviour`.
        public var withheldAnswers = 0
        /// Accepted messages by command, see `GET /simulator/commands`.
        public var commands = Commands()
        /// Accepted messages by type.
        public var types: [String: Int] = [:]
        /// Accepted messages whose command tag was accepted before: a double to the customer.
        public var duplicates = 0
        /// Accepted messages that carried a tag.
        public var tagged = 0
        /// Requests that marked a message as read.
        public var markedAsRead = 0

        public init() {}
    }

    /// What became of commands, told apart by their tags.
    public struct Commands: Sendable, Codable, Hashable {
        /// Commands of which at least one message was accepted.
        public var delivered = 0
        /// Of `delivered`: commands whose message the customer got twice or more often.
        public var moreThanOnce = 0
        /// The most messages of one command.
        public var most = 0
        /// Commands that are remembered no longer: while it is 0, the other counts are exact.
        public var forgotten = 0

        public init() {}
    }

    /// Milliseconds; zero while nothing was measured.
    public struct Latency: Sendable, Codable, Hashable {
        public var count = 0
        public var p50Ms = 0.0
        public var p90Ms = 0.0
        public var p99Ms = 0.0
        public var maxMs = 0.0

        public init() {}

        init(_ histogram: LatencyHistogram) {
            func milliseconds(_ duration: Duration) -> Double {
                Double(duration.components.seconds) * 1_000 + Double(
                    duration.components.attoseconds / 1_000_000_000_000) / 1_000
            }
            count = histogram.count
            p50Ms = milliseconds(histogram.percentile(0.5))
            p90Ms = milliseconds(histogram.percentile(0.9))
            p99Ms = milliseconds(histogram.percentile(0.99))
            maxMs = milliseconds(histogram.max)
        }
    }

    public init() {}
}
