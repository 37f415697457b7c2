import EventLog
import Logging

/// What a handler may know and use besides its record.
public struct HandlerContext: Sendable {
    /// 1 for the first try.
    public let attempt: Int
    /// The lane: the partition number, the same for all inputs.
    public let partition: Int32
    /// When this record failed first; nil on the first try.
    public let firstFailedAt: Timestamp?
    /// The runtime's clock; tests move it.
    public let now: Timestamp
    /// `.unknown` when an effect of this record was begun and nobody knows how it ended: look for evidence before
    /// acting again.
    public let effect: EffectOutcome
    /// How often effects of this record were begun, as its handler told with its last failure. Where that was somebody
    /// else, or an earlier life, it may be less than the truth, and says so.
    public let begun: BegunEffects
    /// The lane's keyed state; empty and refusing writes when the processor declares none.
    public let state: any StateStore
    public let logger: Logger

    private let mark: @Sendable () async throws -> Void

    /// - Parameter mark: what `beginEffect` does.
    public init(
        attempt: Int, partition: Int32, firstFailedAt: Timestamp?, now: Timestamp, state: any StateStore,
        logger: Logger, effect: EffectOutcome = .none, begun: BegunEffects = BegunEffects(),
        mark: @escaping @Sendable () async throws -> Void = {}
    ) {
        self.attempt = attempt
        self.partition = partition
        self.firstFailedAt = firstFailedAt
        self.now = now
        self.state = state
        self.logger = logger
        self.effect = effect
        self.begun = begun
        self.mark = mark
    }

    /// Call right before acting on the outside. Returns when a commit is durable that marks the record as attempted:
    /// should this process die from now on, its successor is told `effect == .unknown`.
    ///
    /// Many marks share a commit. The wait does not count as handling time: while the log takes nothing, nothing
    /// begins. Throws `EffectRefused` when the partition is being given up or is somebody else's, and `EffectWithheld` in a
    /// replay without effects, then the effect must not begin; a permanent failure when the processor does not declare `EffectMode.marked`.
    public func beginEffect() async throws { try await mark() }
}

/// Keyed state of one lane. Writes become durable together with the progress they belong to, and are seen by later
/// handlers of the lane at once. A handler that throws leaves no trace.
public protocol StateStore: Sendable {
    func value(_ key: String) async throws -> [UInt8]?
    /// Sets or, with nil, removes. An entry is forgotten some time after `expires`.
    func set(_ key: String, to value: [UInt8]?, expires: Timestamp?) async throws
}
