import EventLog

/// A stage of the pipeline: reads topics and answers each record with records for other topics.
///
/// Everything else is the runtime's: assignment, order, retries, dead letters, progress, stopping. A record may be
/// handled more than once (a crash before its progress was committed); outputs with ids derived from the input make
/// that harmless.
public protocol Processor: Sendable {
    /// Short name, e.g. `auto-responder`. The group is `<installation>.<name>`, see `ProcessorRuntimeConfiguration`; dead
    /// letters go to `dlq.<group>`.
    var name: String { get }

    /// Topics to read. All must have the same number of partitions; partition `n` of each belongs to one lane, so
    /// records of one key meet here whatever topic they come from.
    var inputs: [Topic] { get }

    /// Topics of its own that it writes: created with the processor (`--from`) when they are missing. Topics that
    /// belong to others need not be named. Default: none.
    var outputs: [Topic] { get }

    /// How records of one lane are worked on. Default `.ordered`.
    var work: WorkMode { get }

    /// When to try a failed record again, and when to give up. Default `RetryPolicy()`.
    var retry: RetryPolicy { get }

    /// What the runtime keeps for `context.state`. Default `.none`.
    var state: StateMode { get }

    /// Bounds of that state. Default `StateLimits()`.
    var stateLimits: StateLimits { get }

    /// Whether handling acts on the outside. Default `.none`.
    var effects: EffectMode { get }

    /// Commits of a lane begin so far apart at least, up to four times that after one that carried many records, and what
    /// comes meanwhile shares the next one; the first after a pause begins at once. For processors whose records cost less
    /// than the commits they would have each: a record waits so long at most, and once more for its mark. Default zero.
    var commitGap: Duration { get }

    /// Topics whose records help to handle `inputs`, e.g. the statuses of what was sent. They have as many partitions,
    /// are assigned along with them, and go to `handleSide`: ahead of main records where both wait, and never behind
    /// one that is parked. Default none.
    var sideInputs: [Topic] { get }

    /// Topics of which every instance reads all partitions, whatever it is assigned: to their end before the first
    /// record is handled, and on from there. Default none.
    var broadcastInputs: [BroadcastInput] { get }

    /// Takes note of one record of `broadcastInputs`, in the order of its partition. Each start begins anew. Any error
    /// but a permanent `HandlerFailure` is tried again until it passes.
    func receiveBroadcast(_ record: StoredRecord) async throws

    /// The name, e.g. a number or a host, that a record may have to wait for. Names share the hands of a lane, so that
    /// those who wait at one do not hold up the others; and while one is down, its records are not handled only to find
    /// that out again. Must be quick. Default nil: all are of one name.
    func outageScope(of record: StoredRecord) -> String?

    /// When a record should be handled even though what it needs is down, so that its handler can end it. Must be quick.
    /// Default nil.
    func deadline(of record: StoredRecord) -> Timestamp?

    /// Called when this instance has gained or lost partition numbers: before the first record of a new one is handled,
    /// and when no more records of a lost one will be begun. A rebalance may take numbers away and give them back; both
    /// are told. Must be quick, and calls never overlap. Default: nothing.
    ///
    /// - Parameters:
    ///   - owned: all numbers that are this instance's now.
    ///   - total: partitions of each input.
    func partitionsChanged(_ owned: Set<Int32>, of total: Int32)

    /// Handles one record and returns what it causes.
    ///
    /// Throw `HandlerFailure` to say whether trying again can help. A record that cannot be read (`UnreadableRecord`) is
    /// dead-lettered at once; any other error counts as passing and is tried again within `retry`. Records of one key are
    /// handled one after the other, in the order of their topic.
    func handle(_ record: StoredRecord, _ context: HandlerContext) async throws -> [Record]

    /// Handles one record of `sideInputs`, one after the other with the records of its key. Fails like `handle`.
    func handleSide(_ record: StoredRecord, _ context: HandlerContext) async throws -> SideAnswer

    /// Called in `.ordered` mode after the records of a batch were handled, before its outputs are written: the place
    /// for one output per batch instead of one per record. Default: nothing.
    func endBatch(_ records: [StoredRecord], _ context: HandlerContext) async throws -> [Record]

    /// Called when a record goes to the dead-letter topic; the outputs are written along with it. Default: nothing.
    func deadLettered(_ record: StoredRecord, _ failure: HandlerFailure, _ context: HandlerContext) async -> [Record]
}

extension Processor {
    public var outputs: [Topic] { [] }
    public var work: WorkMode { .ordered }
    public var retry: RetryPolicy { RetryPolicy() }
    public var state: StateMode { .none }
    public var stateLimits: StateLimits { StateLimits() }
    public var effects: EffectMode { .none }
    public var commitGap: Duration { .zero }
    public func outageScope(of record: StoredRecord) -> String? { nil }
    public func deadline(of record: StoredRecord) -> Timestamp? { nil }
    public var sideInputs: [Topic] { [] }
    public var broadcastInputs: [BroadcastInput] { [] }
    public func receiveBroadcast(_ record: StoredRecord) async throws {}
    public func partitionsChanged(_ owned: Set<Int32>, of total: Int32) {}
    public func handleSide(_ record: StoredRecord, _ context: HandlerContext) async throws -> SideAnswer {
        SideAnswer()
    }
    public func endBatch(_ records: [StoredRecord], _ context: HandlerContext) async throws -> [Record] { [] }
    public func deadLettered(
        _ record: StoredRecord, _ failure: HandlerFailure, _ context: HandlerContext
    ) async -> [Record] { [] }

    /// What the group subscribes to.
    public var subscription: [Topic] { inputs + sideInputs }
}

public enum WorkMode: Sendable, Hashable {
    /// For handlers that compute: one record after the other in each lane, outputs written batch by batch.
    case ordered
    /// For handlers that wait (HTTP, a model): up to `limit` keys of a lane at once for each input and name
    /// (`Processor.outageScope`), up to twice as many for all names together, each key in order. Inputs share neither
    /// these hands nor the bound of their records, so that one whose records wait holds up no other.
    case concurrent(limit: Int)
}
