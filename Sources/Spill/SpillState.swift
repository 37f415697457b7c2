import EventLog

/// What a `SpillingProducer` knows: all lanes, and how full spill and log are. Pure: time comes with `sweep`, and what is
/// to be done is left in `effects`.
struct SpillState {
    /// What the shell has to do after it let go of the state.
    struct Effects {
        var settlements: [Settlement] = []
        var rejections: [Rejection] = []
    }
    /// What became of records that were given in.
    enum Admission {
        /// To be sent to the log now; its word comes back as `reported` with this number.
        case handOver(UInt64)
        case spilled
        case refused(LogError)
    }
    /// A part of the spill to read and send.
    struct Step: Equatable {
        var lane: Int
        var from: Offset
        var maxRecords: Int
    }

    /// What the store adds to a record's own bytes, roughly.
    private static let recordOverhead: Int64 = 64

    let configuration: SpillConfiguration
    private(set) var lanes: [Lane]
    private(set) var now: Duration = .zero
    private(set) var effects = Effects()
    /// To be given to the store in this order.
    private(set) var appends: [SpillAppend] = []
    private(set) var totals = SpillTotals()
    /// What the disk still takes before `minFreeBytes` are all that is left: as last looked, less what was given since.
    private var diskRoom = Int64.max
    /// Given to the store, and no answer yet.
    private var pendingBytes: Int64 = 0
    private var nextToken: UInt64 = 0
    private var nextLane = 0

    /// - Parameters:
    ///   - held: what the spill holds, lane by lane.
    ///   - bytes: of all it holds, rejected records too.
    init(configuration: SpillConfiguration, holding held: [Range<Offset>], records: Int64, bytes: Int64) {
        self.configuration = configuration
        lanes = held.map { Lane(holding: $0) }
        totals.heldRecords = held.reduce(0) { $0 + Int64($1.count) }
        totals.heldBytes = bytes + records * Self.recordOverhead
        totals.rejectedHeld = records - totals.heldRecords
    }

    mutating func admit(_ records: [Record], bytes: Int, to lane: Int, for call: SpillCall) -> Admission {
        if lanes[lane].mode == .direct, lanes[lane].isLate(configuration.lateAfter, at: now) || isLogFull { divert(lane) }
        if lanes[lane].mode == .direct { return .handOver(board(records, bytes, lane) { $0.call = call }) }
        guard reserve(bytes, records.count) else {
            totals.refused += 1
            return .refused(LogError(.queueFull, "the spill is full"))
        }
        lanes[lane].pendingAppends += 1
        appends.append(SpillAppend(lane: lane, flight: nil, records: records, bytes: bytes, call: call))
        return .spilled
    }

    /// The log's word on a flight.
    mutating func reported(_ token: UInt64, in lane: Int, _ failure: LogError?) {
        guard let at = lanes[lane].index(of: token), lanes[lane].flights[at].report == nil else { return }
        totals.inFlightRecords -= lanes[lane].flights[at].records.count
        totals.inFlightBytes -= lanes[lane].flights[at].bytes
        if let failure { return failed(token, in: lane, failure) }
        if case .pending = lanes[lane].flights[at].copy {
            settle(lanes[lane].flights[at].call.take(), nil)
            lanes[lane].flights[at].report = .acknowledged
            return
        }
        // Taken out, not copied: this is done for every record.
        let flight = lanes[lane].flights.remove(at: at)
        settle(flight.call, nil)
        if flight.isDrained {
            totals.drained += flight.records.count
            lanes[lane].stepSucceeded()
        }
        if lanes[lane].mode == .spilling { lanes[lane].reopenIfDrained() }
    }

    /// The store's word on an append: where the records lie, or why it did not take them.
    mutating func appended(_ append: SpillAppend, _ result: Result<Range<Offset>, LogError>) {
        lanes[append.lane].pendingAppends -= 1
        pendingBytes -= Self.cost(append.bytes, append.records.count)
        switch result {
        case .success(let range):
            lanes[append.lane].end = range.upperBound
            totals.heldRecords += Int64(range.count)
            totals.spilled += range.count
            settle(append.flight.map { lanes[append.lane].copied($0, to: range) } ?? append.call, nil)
        case .failure(let error):
            totals.heldBytes -= Self.cost(append.bytes, append.records.count)
            totals.refused += 1
            settle(append.flight.map { lanes[append.lane].copyFailed($0) } ?? append.call, error)
        }
        lanes[append.lane].reopenIfDrained()
    }

    /// Time passes: records that wait too long are copied to the spill.
    mutating func sweep(now: Duration) {
        self.now = now
        for lane in lanes.indices where lanes[lane].isLate(configuration.copyAfter, at: now) { divert(lane) }
    }

    /// What a look at the disk shows: `room` bytes until `minFreeBytes` are all that is left.
    mutating func looked(atDisk room: Int64) { diskRoom = room - 2 * pendingBytes }

    /// The shell has done these.
    mutating func takeEffects() -> Effects? {
        if effects.settlements.isEmpty, effects.rejections.isEmpty { return nil }
        defer { effects = Effects() }
        return effects
    }
    mutating func takeAppends() -> [SpillAppend] {
        defer { appends = [] }
        return appends
    }

    /// Whether a delivery of usual size would become durable somewhere now, as far as is known.
    var canAccept: Bool { !isSpilling || hasRoom(64 << 10, 1) }
    /// Nothing held, but rejected records, and nothing on its way.
    var isEmpty: Bool { totals.heldRecords == 0 && pendingBytes == 0 }
    /// Whether any lane leaves the log out, or has something in the spill.
    var isSpilling: Bool { lanes.contains { $0.mode == .spilling || $0.trimmed < $0.end } }
    var spillingLanes: Int { lanes.count { $0.mode == .spilling } }
}

// Sending what is spilled.
extension SpillState {
    /// The next part of the spill to read, the lanes taking turns; `stepRead` or `stepFailed` must follow.
    mutating func takeStep() -> Step? {
        if isLogFull { return nil }
        for _ in lanes.indices {
            let lane = nextLane
            nextLane = (nextLane + 1) % lanes.count
            guard lanes[lane].canStep(at: now) else { continue }
            lanes[lane].isStepping = true
            return Step(lane: lane, from: lanes[lane].drainNext, maxRecords: lanes[lane].nextBatch)
        }
        return nil
    }

    /// The records of a step, `from..<end` in the spill; to be sent under this number, then `stepHandedOver`.
    mutating func stepRead(_ step: Step, _ records: [Record], upTo end: Offset) -> UInt64 {
        lanes[step.lane].drainNext = end
        return board(records, records.reduce(0) { $0 + $1.byteCount }, step.lane) { flight in
            flight.isDrained = true
            flight.copy = .held(step.from..<end)
        }
    }

    /// Only now may later records follow: they cannot overtake any more.
    mutating func stepHandedOver(_ lane: Int) {
        lanes[lane].isStepping = false
        lanes[lane].reopenIfDrained()
    }

    /// The spill could not be read.
    mutating func stepFailed(_ lane: Int) {
        lanes[lane].isStepping = false
        lanes[lane].backOff(from: now, atLeast: .zero)
    }

    /// A refused record lies in the rejected table now; or it does not, and will be tried again.
    mutating func rejected(_ rejection: Rejection, _ failure: LogError?) {
        let lane = rejection.lane
        guard let at = lanes[lane].index(of: rejection.flight) else { return }
        let flight = lanes[lane].flights.remove(at: at)
        if failure == nil {
            totals.rejectedHeld += 1
            totals.heldBytes += Int64(flight.bytes) + Self.recordOverhead
        } else if case .held(let range) = flight.copy {
            lanes[lane].drainNext = min(lanes[lane].drainNext, range.lowerBound)
            lanes[lane].backOff(from: now, atLeast: .zero)
        }
        lanes[lane].reopenIfDrained()
    }

    /// What is acknowledged and may be removed from the spill, lane by lane.
    var trims: [Int: Offset] {
        var trims: [Int: Offset] = [:]
        for (index, lane) in lanes.enumerated() where lane.trimmed < lane.end {
            let target = lane.trimTarget
            if target > lane.trimmed { trims[index] = target }
        }
        return trims
    }

    /// That much is gone from the spill.
    mutating func trimmed(_ trims: [Int: Offset], bytes: Int64) {
        var records: Int64 = 0
        for (lane, offset) in trims {
            records += offset - lanes[lane].trimmed
            lanes[lane].trimmed = offset
        }
        totals.heldRecords -= records
        totals.heldBytes -= bytes + records * Self.recordOverhead
    }
}

extension SpillState {
    private var isLogFull: Bool {
        totals.inFlightRecords >= configuration.maxInFlightRecords || totals.inFlightBytes >= configuration.maxInFlightBytes
    }

    private mutating func board(
        _ records: [Record], _ bytes: Int, _ lane: Int, _ fill: (inout Lane.Flight) -> Void
    ) -> UInt64 {
        nextToken += 1
        var flight = Lane.Flight(token: nextToken, records: records, bytes: bytes, since: now)
        fill(&flight)
        lanes[lane].flights.append(flight)
        totals.inFlightRecords += records.count
        totals.inFlightBytes += bytes
        return nextToken
    }

    /// From now on the lane's records go to the spill, those in flight first. When there is no room, those in flight
    /// stay with the log alone.
    private mutating func divert(_ lane: Int) {
        guard lanes[lane].mode == .direct else { return }
        lanes[lane].mode = .spilling
        lanes[lane].batch = 1
        for at in lanes[lane].flights.indices {
            let flight = lanes[lane].flights[at]
            guard case .none = flight.copy else { continue }
            guard reserve(flight.bytes, flight.records.count) else { return }
            lanes[lane].flights[at].copy = .pending
            lanes[lane].pendingAppends += 1
            appends.append(
                SpillAppend(lane: lane, flight: flight.token, records: flight.records, bytes: flight.bytes, call: nil))
        }
    }

    private mutating func failed(_ token: UInt64, in lane: Int, _ failure: LogError) {
        divert(lane)
        guard let at = lanes[lane].index(of: token) else { return }
        let flight = lanes[lane].flights[at]
        lanes[lane].flights[at].report = .failed
        if flight.isDrained, flight.records.count == 1, failure.isAboutTheRecord {
            lanes[lane].batch = 1
            effects.rejections.append(
                Rejection(lane: lane, flight: token, record: flight.records[0], reason: failure))
            return
        }
        lanes[lane].backOff(from: now, atLeast: failure.isAboutTheTopic ? configuration.refusalRetry : .zero)
        if failure.isAboutTheTopic { totals.held += 1 }
        switch flight.copy {
        case .pending: break
        case .held(let range):
            lanes[lane].drainNext = min(lanes[lane].drainNext, range.lowerBound)
            lanes[lane].flights.remove(at: at)
        case .none:
            lanes[lane].flights.remove(at: at)
            settle(flight.call, failure)
            lanes[lane].reopenIfDrained()
        }
    }

    private mutating func settle(_ call: SpillCall?, _ failure: LogError?) {
        if let call { effects.settlements.append(Settlement(call: call, failure: failure)) }
    }

    private func hasRoom(_ bytes: Int, _ records: Int) -> Bool {
        let cost = Self.cost(bytes, records)
        return totals.heldBytes + cost <= configuration.maxBytes && 2 * cost <= diskRoom
    }

    private mutating func reserve(_ bytes: Int, _ records: Int) -> Bool {
        guard hasRoom(bytes, records) else { return false }
        let cost = Self.cost(bytes, records)
        totals.heldBytes += cost
        pendingBytes += cost
        // Twice: it lies in the write-ahead log first, and then in the file, too.
        diskRoom -= 2 * cost
        return true
    }

    private static func cost(_ bytes: Int, _ records: Int) -> Int64 { Int64(bytes) + Int64(records) * recordOverhead }
}

/// Counts, for metrics and log lines.
struct SpillTotals {
    var heldRecords: Int64 = 0
    /// Reserved, with what is being written.
    var heldBytes: Int64 = 0
    /// In the rejected table.
    var rejectedHeld: Int64 = 0
    var inFlightRecords = 0
    var inFlightBytes = 0
    // Since the start:
    var spilled = 0
    var drained = 0
    /// Calls' parts that neither log nor spill took.
    var refused = 0
    /// Times that a topic refused as a whole, so that its lane waits.
    var held = 0
}

extension LogError {
    /// Other records of the topic may well be taken.
    var isAboutTheRecord: Bool { [.recordTooLarge, .invalidTopic, .unsupported].contains(code) }
    /// The operator has to act (make the topic, allow writing); until then order is kept by waiting.
    var isAboutTheTopic: Bool { [.unknownTopic, .invalidConfiguration].contains(code) }
}
