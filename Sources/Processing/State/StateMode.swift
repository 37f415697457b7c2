/// What the runtime keeps for `HandlerContext.state`, and how it comes back when the disk of its last owner is gone.
public enum StateMode: Sendable, Hashable {
    case none
    /// State that the inputs give again: a new owner without it reads them from where the state ends, without outputs.
    case rebuiltFromInputs
    /// State that must not be rebuilt by handling again, because handling has effects or the inputs are gone by then: a
    /// new owner starts with what its disk holds.
    case local
    /// Like `local`, and these entries survive their disk: they are written to the compacted topic `state.<group>` too,
    /// before the progress that they belong to is committed, and a new owner restores them from there before it handles
    /// anything. See decision 13.
    case surviving(StateKeys)

    /// The entries that go to the state's topic.
    package var survivors: StateKeys { if case .surviving(let keys) = self { keys } else { .beginning(with: []) } }
    var survives: Bool { if case .surviving = self { true } else { false } }
}

/// Names a part of the state by its keys.
public enum StateKeys: Sendable, Hashable {
    case all
    case beginning(with: [String])

    public func contains(_ key: String) -> Bool {
        switch self {
        case .all: true
        case .beginning(let prefixes): prefixes.contains { key.hasPrefix($0) }
        }
    }
}

/// Bounds of the state of one partition.
public struct StateLimits: Sendable, Hashable {
    /// An entry is forgotten so long after it was written, or earlier if its handler says so; nil: when the handler says.
    /// Surviving entries without a time of their own are kept for ever all the same.
    public var maxAge: Duration?
    /// Bytes of keys and values on the disk; what a lane holds in memory meanwhile comes on top. Beyond them the entries that do not survive go, the one written longest ago first.
    /// Surviving ones never do: when they alone fill the state, no further key is taken, which is an outage of the
    /// processor (its partition pauses, `processor_outages_total` counts it) until some expire or the bound is raised.
    public var maxBytes: Int

    public init(maxAge: Duration? = nil, maxBytes: Int = 4 << 30) {
        precondition(maxBytes > 0, "a state needs room")
        self.maxAge = maxAge
        self.maxBytes = maxBytes
    }
}
