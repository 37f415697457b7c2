import EventLog

/// A record on its way through a lane. It is passed on many times, so what few records have is kept apart.
struct Work: Sendable {
    enum Fate: Sendable {
        case toBeHandled
        /// It failed, but records before it must be handled again first; when its turn comes it is parked.
        case failed(HandlerFailure)
        /// Given up; what is left to do is the dead letter.
        case condemned(HandlerFailure)
    }

    /// What happened to a record that failed or was held.
    struct Past: Sendable {
        /// Failed tries so far; a take-over goes on from what the commit's note tells.
        var attempts = 0
        /// After a take-over reckoned back from its age; the record's own time where that is not told.
        var firstFailedAt: Timestamp?
        /// Time that it waited for what was down, which its age does not count.
        var held = Duration.zero
        var heldSince: Timestamp?
        /// How long all had been down in the lane's life when it failed first.
        var downBefore = Duration.zero
        /// Effects of it that were begun, as far as its handler told.
        var begun = BegunEffects()
        /// Class of its last failure.
        var waitsFor: String?

        /// What is to survive of it; nil when nothing did happen.
        func tries(_ age: Duration, of record: StoredRecord) -> Progress.Tries? {
            if attempts == 0, begun.count == 0 { return nil }
            let first = begun.first.map { max(0, ($0 - record.timestamp).components.seconds) } ?? 0
            return Progress.Tries(
                attempts: attempts, seconds: max(0, age.components.seconds),
                effects: begun.count > 0 ? .init(count: begun.count, seconds: first) : nil)
        }

        mutating func endHold(_ now: Timestamp) {
            if let since = heldSince { held += now - since }
            heldSince = nil
        }
    }

    /// What few records have, in one place: each reference is counted whenever a record is passed on.
    private struct Apart: Sendable {
        var fate = Fate.toBeHandled
        var past = Past()
    }

    private indirect enum Memory: Sendable {
        case none
        case some(Apart)
    }

    /// Where a record comes from, and what follows from that.
    struct Origin: Sendable {
        /// Which partition of the lane it is of.
        var place = 0
        /// Which main input it is of; 0 for all where they share one line.
        var input = 0
        /// From a side input: ahead of the others, and never behind a parked one of them.
        var isSide = false
        /// Handled for its state alone: its outputs were written by an earlier owner.
        var isSilent = false
    }

    private(set) var record: StoredRecord
    /// What it counts against the lane's bound, from its arrival on.
    let bytes: Int
    let origin: Origin
    /// What its handler is told; set when a run begins.
    var effect = EffectOutcome.none
    /// It failed or was held before: later records of its key stand behind it.
    var isHead = false
    private var memory = Memory.none

    init(_ record: StoredRecord, _ origin: Origin = Origin()) {
        self.record = record
        self.origin = origin
        bytes = record.byteCount
    }

    var place: Int { origin.place }
    var input: Int { origin.input }
    var isSide: Bool { origin.isSide }
    var isSilent: Bool { origin.isSilent }

    var fate: Fate {
        get { apart.fate }
        set { apart.fate = newValue }
    }
    var past: Past {
        get { apart.past }
        set { apart.past = newValue }
    }
    var isToBeHandled: Bool {
        guard case .some(let apart) = memory else { return true }
        if case .toBeHandled = apart.fate { return true }
        return false
    }

    private var apart: Apart {
        get { if case .some(let apart) = memory { apart } else { Apart() } }
        set { memory = .some(newValue) }
    }

    /// What its handler is told of effects that were begun. A mark that nobody told of is one of an earlier owner's.
    var begun: BegunEffects {
        var begun = past.begun
        if effect == .unknown { begun = BegunEffects(count: max(1, begun.count), first: begun.first, isLowerBound: true) }
        return begun
    }

    /// It will stay for long: from now on it holds nothing but its own bytes.
    mutating func settleDown() { record = record.detached }
}

/// What is worked on one after the other.
enum RecordKey: Sendable, Hashable {
    /// Ordered mode: the whole lane.
    case lane
    case bytes([UInt8])
    /// A record without key has no order.
    case alone(Topic, Offset)

    init(_ record: StoredRecord) {
        self = record.key.map { .bytes($0) } ?? .alone(record.topic, record.offset)
    }
}

/// What order is promised for, and therefore what a parked record blocks: a key within its topic.
struct OrderKey: Sendable, Hashable {
    let topic: Topic
    let key: RecordKey

    init(topic: Topic, key: RecordKey) {
        self.topic = topic
        self.key = key
    }

    init(_ record: StoredRecord) {
        topic = record.topic
        key = RecordKey(record)
    }
}

/// One reading of both clocks: `instant` for waiting, `wall` for what is compared with records.
struct Moment<Instant: InstantProtocol & Sendable>: Sendable {
    var instant: Instant
    var wall: Timestamp
}
