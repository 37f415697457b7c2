import EventLog

/// How often a `FaultyLog` fails, and in which way. Shares are between 0 and 1.
///
/// A refused call leaves no trace. A call whose answer is lost has done its work, and the caller sees the same error:
/// the case in which copies are born.
public struct FaultPlan: Sendable {
    /// The same seed gives the same fates to the same sequence of calls.
    public var seed: UInt64
    public var refusedProduces: Double
    public var lostProduceAnswers: Double
    public var refusedCommits: Double
    public var lostCommitAnswers: Double
    /// What a produce that fails says.
    public var produceError: LogError.Code
    /// What a commit that fails says.
    public var commitError: LogError.Code

    public init(
        seed: UInt64, refusedProduces: Double = 0, lostProduceAnswers: Double = 0, refusedCommits: Double = 0,
        lostCommitAnswers: Double = 0, produceError: LogError.Code = .notDurable,
        commitError: LogError.Code = .unavailable
    ) {
        precondition(refusedProduces + lostProduceAnswers <= 1 && refusedCommits + lostCommitAnswers <= 1)
        self.seed = seed
        self.refusedProduces = refusedProduces
        self.lostProduceAnswers = lostProduceAnswers
        self.refusedCommits = refusedCommits
        self.lostCommitAnswers = lostCommitAnswers
        self.produceError = produceError
        self.commitError = commitError
    }

    /// No faults but those that `FaultyLog.breakDown` makes.
    public static let none = FaultPlan(seed: 0)
}
