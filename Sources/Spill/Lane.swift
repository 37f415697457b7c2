import EventLog

/// The records that must keep their order among themselves: those of one topic whose keys fall together.
///
/// | mode | a new record goes | and the lane leaves it |
/// |---|---|---|
/// | direct | to the log | when its oldest record waits too long for the log's word, or the log says no |
/// | spilling | to the spill | when the last spilled record is acknowledged, or handed over to a log that answers |
///
/// On leaving `direct`, whatever is in flight is copied to the spill first, so that the spill has the lane's order. What
/// is spilled is read and sent only when nothing is in flight, so that the log gets it in that order, too. `drainNext`
/// divides the spill: below lie copies of what is in flight or acknowledged, from there on what is still to be sent.
struct Lane {
    enum Mode { case direct, spilling }

    /// Records handed to the log, until its word on them is in and nothing more depends on it.
    struct Flight {
        let token: UInt64
        let records: [Record]
        let bytes: Int
        let since: Duration
        /// Read from the spill, not given by a caller.
        var isDrained = false
        /// Who waits for them; nil once that was answered.
        var call: SpillCall?
        var copy = Copy.none
        /// Known while the copy is still being written, or while the record is being rejected.
        var report: Report?
    }
    /// The same records in the spill.
    enum Copy { case none, pending, held(Range<Offset>) }
    enum Report { case acknowledged, failed }

    var mode: Mode
    /// Oldest first.
    var flights: [Flight] = []
    /// Appends asked for and not yet durable.
    var pendingAppends = 0
    /// The spill holds `trimmed..<end`.
    var trimmed: Offset
    var drainNext: Offset
    var end: Offset
    /// A part of the spill is being read, or handed over.
    var isStepping = false
    /// Records of the next step: grows with each that the log took, so that a log that does not answer, or a record
    /// that it refuses, is met by one record.
    var batch = 1
    var failures = 0
    var retryAt: Duration = .zero

    static let maxBatch = 512

    /// As it is found at start: what the spill holds is to be sent.
    init(holding held: Range<Offset>) {
        trimmed = held.lowerBound
        drainNext = held.lowerBound
        end = held.upperBound
        mode = held.isEmpty ? .direct : .spilling
    }

    var isIdle: Bool { mode == .direct && flights.isEmpty && trimmed == end && pendingAppends == 0 }

    func index(of token: UInt64) -> Int? { flights.firstIndex { $0.token == token } }

    /// Whether the oldest record in flight has waited longer than `limit`.
    func isLate(_ limit: Duration, at now: Duration) -> Bool {
        guard let oldest = flights.first else { return false }
        return now - oldest.since > limit
    }

    /// Whether the next part of the spill may be sent now.
    func canStep(at now: Duration) -> Bool {
        mode == .spilling && flights.isEmpty && !isStepping && drainNext < end && now >= retryAt
    }

    /// How many records the next step takes. The last one goes alone, see `reopenIfDrained`.
    var nextBatch: Int { min(batch, max(1, Int(end - drainNext) - 1)) }

    /// Everything below is acknowledged.
    var trimTarget: Offset {
        flights.reduce(drainNext) { target, flight in
            guard case .held(let range) = flight.copy else { return target }
            return min(target, range.lowerBound)
        }
    }

    /// Back to direct when the spill has nothing more to send.
    ///
    /// The last record may still be in flight: what comes after it is sent after it. That needs proof that the log
    /// answers, and lets a busy lane out of the spill although every moment brings it a record. The proof is that `batch`
    /// has grown: then whatever is in flight came from the spill, and nothing of it has failed. One record alone, because
    /// the log may refuse one for good and take what follows: others beside it would be overtaken.
    mutating func reopenIfDrained() {
        guard mode == .spilling, !isStepping, pendingAppends == 0, drainNext == end else { return }
        guard flights.isEmpty || batch > 1 else { return }
        mode = .direct
    }

    mutating func backOff(from now: Duration, atLeast least: Duration) {
        failures += 1
        batch = 1
        retryAt = now + max(least, min(.seconds(5), .milliseconds(50 << min(failures, 7))))
    }

    mutating func stepSucceeded() {
        failures = 0
        batch = min(batch * 4, Self.maxBatch)
    }
}

// What happens to a copy. A flight without copy whose spill is full keeps its caller: the log may still take it.
extension Lane {
    /// The copy of a flight is durable. Answers the caller to be told.
    mutating func copied(_ token: UInt64, to range: Range<Offset>) -> SpillCall? {
        guard let at = index(of: token) else { return nil }
        let call = flights[at].call
        // Not after a failed one: the drain begins there, and sends what follows again, in order.
        if flights[at].report != .failed, drainNext == range.lowerBound { drainNext = range.upperBound }
        if flights[at].report == nil {
            flights[at].call = nil
            flights[at].copy = .held(range)
        } else {
            flights.remove(at: at)
        }
        return call
    }

    /// The copy could not be written. Answers the caller to be told, when nothing else will.
    mutating func copyFailed(_ token: UInt64) -> SpillCall? {
        guard let at = index(of: token) else { return nil }
        if flights[at].report == nil {
            flights[at].copy = .none
            return nil
        }
        return flights.remove(at: at).call
    }
}
