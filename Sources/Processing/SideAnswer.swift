import EventLog

/// What a record of a side input causes.
public struct SideAnswer: Sendable {
    public var outputs: [Record]
    /// Parked records that should be tried again at once, because of what the handler learned.
    public var wakes: [Wake]

    public init(outputs: [Record] = [], wakes: [Wake] = []) {
        self.outputs = outputs
        self.wakes = wakes
    }
}

/// Names a parked record of the same lane: the one of its key that failed, whatever main input it is of.
public struct Wake: Sendable, Hashable {
    public var key: [UInt8]
    /// Only if it failed with this class; nil: whatever it waits for.
    public var errorClass: String?

    /// Nothing happens when no such record is parked. A record that is being handled at that moment is not woken: with
    /// the side record's own key that cannot be.
    public init(key: [UInt8], errorClass: String? = nil) {
        self.key = key
        self.errorClass = errorClass
    }
}
