import EventLog

/// Bounds and times of a `ProcessorRuntime`. The defaults suit every processor of Millrace.
public struct ProcessorRuntimeConfiguration: Sendable {
    /// Where a group begins that has no commit for a partition.
    public enum Start: Sendable, Hashable {
        /// Refuse: a group is born on purpose, so that a lost or mistyped one neither repeats nor skips records.
        case requireCommit
        case earliest
        case latest
    }

    /// What the runtime works for.
    public enum Mode: Sendable, Hashable {
        /// Its group.
        case live
        /// A replay: it knows no state but its own, and effects do not begin unless asked for.
        case replay(effects: Bool)
    }

    public var mode = Mode.live
    /// What the groups of one installation begin with: `millrace.auto-responder`. Two on one log must differ.
    public var installation = "millrace"
    public var start: Start
    /// State lies in `<stateDirectory>/<group>/<partition>.db`.
    public var stateDirectory: String
    /// A handler that runs longer is given up: its late result is discarded and its record is parked.
    public var handlerTimeout: Duration
    /// How long running handlers may go on when their partition is revoked or the runtime stops.
    public var drainTimeout: Duration
    /// How long the last commit after that may take; then the partition is given up without it.
    public var lastCommitTimeout: Duration
    /// Most records of one batch in `.ordered` mode.
    public var maxBatchRecords: Int
    /// A lane that holds so many records of an input which are not finished, or ten times as many that the progress has
    /// not passed, pauses its partition. After a crash so many are handled again at most.
    public var maxLaneRecords: Int
    /// The same in bytes of records, with those that are parked and outputs that are not durable yet.
    public var maxLaneBytes: Int
    /// So many parked records of a partition are listed in the commit's metadata, which holds 4,096 bytes: with 500 a
    /// record's share is 8. The progress stays before the first that is not.
    public var maxParkedRecords: Int
    /// Where operators order what becomes of parked records (`ParkedOrder`); nil follows none.
    public var controlTopic: Topic?
    /// Pauses between two tries at what is down, from half of each bound up.
    public var outagePauses = RetryPolicy(base: .seconds(1), cap: .seconds(60))
    /// A progress that stays the same is committed again so often, long before brokers forget it (Kafka's
    /// `offsets.retention.minutes` is 7 days).
    public var recommitInterval = Duration.seconds(86_400)
    /// See `ConsumerConfiguration`.
    public var sessionTimeout: Duration
    /// See `ConsumerConfiguration`.
    public var instanceID: String?

    public func group(of processor: any Processor) -> String { "\(installation).\(processor.name)" }
    public func deadLetters(of processor: any Processor) -> Topic { Topic("dlq.\(group(of: processor))") }

    public init(
        start: Start = .requireCommit, stateDirectory: String = "data/state", handlerTimeout: Duration = .seconds(30),
        drainTimeout: Duration = .seconds(5), lastCommitTimeout: Duration = .seconds(5), maxBatchRecords: Int = 500,
        maxLaneRecords: Int = 5_000, maxLaneBytes: Int = 16 << 20, maxParkedRecords: Int = 500,
        controlTopic: Topic? = nil, sessionTimeout: Duration = .seconds(30), instanceID: String? = nil
    ) {
        precondition(maxBatchRecords > 0 && maxLaneRecords > 0 && maxLaneBytes > 0 && maxParkedRecords > 0)
        self.start = start
        self.stateDirectory = stateDirectory
        self.handlerTimeout = handlerTimeout
        self.drainTimeout = drainTimeout
        self.lastCommitTimeout = lastCommitTimeout
        self.maxBatchRecords = maxBatchRecords
        self.maxLaneRecords = maxLaneRecords
        self.maxLaneBytes = maxLaneBytes
        self.maxParkedRecords = maxParkedRecords
        self.controlTopic = controlTopic
        self.sessionTimeout = sessionTimeout
        self.instanceID = instanceID
    }
}
