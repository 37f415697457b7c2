/// Spaces messages on their way out. They were let go at the bucket's pace, but something between may have stood still (a
/// mark on the log, the machine), and then they would all leave at once, which the platform counts as too fast.
struct Pace: Sendable {
    /// When a message may leave. What stands still meanwhile postpones it, see `wait`.
    struct Slot: Sendable, Hashable {
        let at: Duration
        fileprivate let postponed: Duration

        /// A number without a pace.
        static func now(_ now: Duration) -> Slot { Slot(at: now, postponed: .zero) }
    }

    /// Longer than anything stands still without being broken; a rate that was just cut must not hold up what is let go.
    static let maxWait = Duration.seconds(1)
    /// So late a busy machine wakes whoever sleeps.
    static let tolerance = Duration.milliseconds(25)
    /// When the next message may leave by the pace alone; up to `TokenBucket.depth` behind the time.
    private var next: Duration
    private var window = RateWindow()
    /// How long messages that had their slots have stood still, all in all.
    private var postponed = Duration.zero

    init(at now: Duration) { next = now }

    /// When the next message may leave. No second holds more than the rate of those that left.
    mutating func take(rate: Double, at now: Duration) -> Slot {
        let depth = max(TokenBucket.depth, 1 / rate)
        let limit = RateWindow.limit(rate)
        let paced = max(next, now - .seconds(depth))
        let leaves = min(max(paced, window.next(limit: limit, at: max(paced, now))), now + Self.maxWait)
        next = max(paced, leaves - .seconds(depth)) + .seconds(1 / rate)
        window.note(limit: limit, at: max(leaves, now))
        return Slot(at: max(leaves, now), postponed: postponed)
    }

    /// How long a message must still wait that has slept until its slot.
    ///
    /// Where the process stood still, all who slept wake together. The first of them finds that it is late and postpones the
    /// others by as much, so that they leave at the distances that they had.
    mutating func wait(_ slot: Slot, at now: Duration) -> Duration {
        let due = slot.at + (postponed - slot.postponed)
        let late = now - due
        guard late > Self.tolerance else { return max(.zero, .zero - late) }
        postponed += late
        next += late
        window.postpone(from: due, by: late)
        return .zero
    }
}
