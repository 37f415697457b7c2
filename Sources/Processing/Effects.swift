import EventLog

/// Whether a processor acts on the outside.
public enum EffectMode: Sendable, Hashable {
    /// It only answers with records: handling again does no harm.
    case none
    /// It acts, and calls `HandlerContext.beginEffect` right before: whoever handles the record after it did so and
    /// before it was finished is told that the outcome is unknown.
    case marked
}

/// What is known about a record's effect.
public enum EffectOutcome: Sendable, Hashable {
    /// Nothing happened.
    case none
    /// It may have happened: its owner died, its handler took too long or said so.
    case unknown
}

/// How often effects of one record were begun. The handler counts them and tells the runtime with its failures
/// (`HandlerFailure.begun`); the runtime tells whoever handles the record next, also after a take-over.
public struct BegunEffects: Sendable, Hashable {
    public var count: Int
    /// When the first began; to the second after a take-over. Nil when that is not known, or when none did.
    public var first: Timestamp?
    /// There may have been more, and the first may have been earlier: an owner died, or the commit's note had no room.
    public var isLowerBound: Bool

    public init(count: Int = 0, first: Timestamp? = nil, isLowerBound: Bool = false) {
        self.count = count
        self.first = first
        self.isLowerBound = isLowerBound
    }
}

/// A replay without effects has come to one. Handlers let it pass; the record counts as done, without outputs.
public struct EffectWithheld: Error, Sendable {}

/// The lane is being given up, or somebody else owns it: the effect must not begin. Handlers let it pass; the record
/// is handled again by whoever comes next, and nothing is counted against it.
public struct EffectRefused: Error, Sendable {}
