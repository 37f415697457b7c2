import EventLog

/// A log that the conformance suite can be run on.
///
/// All clients that `open` gives work on the same log, as separate processes would.
public protocol ConformanceSubject: Sendable {
    /// For messages, e.g. "SQLite".
    var name: String { get }

    /// Cases that this log cannot show, each with the reason.
    var skips: [ConformanceCase: String] { get }

    /// What the suite's consumers use as `ConsumerConfiguration.sessionTimeout`. Short makes the suite quick; a broker
    /// refuses less than its `group.min.session.timeout.ms`.
    var sessionTimeout: Duration { get }

    /// A new, independent client. `queueBytes` bounds the records its producer holds unacknowledged; nil takes the
    /// log's default.
    func open(queueBytes: Int?) async throws -> any Log

    func createTopic(_ spec: TopicSpec) async throws

    /// Plays `part` in a process of its own, on a client of its own, and returns when that process has ended. Throws,
    /// or reports by the test framework's means, when it ended otherwise than the part says.
    func runProcess(_ part: ProcessPart) async throws

    /// Makes the log apply retention and compaction now, or as soon as it can: the suite asks again until it shows.
    func sweep() async throws
}

extension ConformanceSubject {
    /// Cases to run.
    public var cases: [ConformanceCase] { ConformanceCase.allCases.filter { skips[$0] == nil } }
}
