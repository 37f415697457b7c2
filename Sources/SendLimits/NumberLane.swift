/// Everything about one sending number.
struct NumberLane: Sendable {
    let account: String
    var rate: AdaptiveRate
    /// When the ceiling was told by the platform; nil while it is the configured one.
    var ceilingAt: Duration?
    var bucket: TokenBucket
    var window = RateWindow()
    var pace: Pace
    var hold: Hold?
    var pausedUntil: Duration
    var inFlight = 0
    /// Waiters in line, by id; those that ended meanwhile are skipped.
    var replies = Queue<UInt64>()
    var bulk = Queue<UInt64>()
    /// Waiters that live, in line or waiting for their pair.
    var waitingReplies = 0
    var waitingBulk = 0
    /// Stands in the ring of numbers that may send.
    var isReady = false
    /// The earliest timer that looks at this number again.
    var wakeAt: Duration?

    /// What keeps the number from sending.
    enum Obstacle: Hashable {
        case time(Duration)
        /// A report, a new share or a new rate takes it away.
        case event
    }

    init(account: String, rate: Double, at now: Duration) {
        self.account = account
        self.rate = AdaptiveRate(ceiling: rate)
        bucket = TokenBucket(at: now)
        pace = Pace(at: now)
        pausedUntil = now
    }

    var waiting: Int { waitingReplies + waitingBulk }
    var hasLine: Bool { !replies.isEmpty || !bulk.isEmpty }
    /// Most of the line are waiters that ended.
    var isMostlyGone: Bool { replies.count + bulk.count > 2 * waiting + 64 }

    /// Whether it may be forgotten: a new lane starts with an empty bucket, so nothing is won by coming back.
    var isForgettable: Bool {
        waiting == 0 && inFlight == 0 && hold == nil && rate.cut == nil && ceilingAt == nil
    }

    /// - Parameters:
    ///   - share: This instance's part of the number's rate.
    ///   - margin: The part of it that is used.
    mutating func obstacle(share: Double, margin: Double, maxInFlight: Int, at now: Duration) -> Obstacle? {
        switch hold?.gate(at: now) {
        case .closed(let until): return .time(until)
        case .probing(let until): return until.map { .time($0) } ?? .event
        case .open, nil: break
        }
        if pausedUntil > now { return .time(pausedUntil) }
        if inFlight >= maxInFlight { return .event }
        let rate = rate.value(at: now) * share
        bucket.refill(rate: rate, at: now)
        guard let wait = bucket.wait(rate: rate) else { return .event }
        let next = max(now + wait, window.next(limit: RateWindow.limit(rate / margin), at: now))
        return next > now ? .time(next) : nil
    }

    /// A message of this number goes.
    ///
    /// - Parameter limit: of messages in a second.
    mutating func letGo(limit: Int, at now: Duration) {
        bucket.take()
        window.note(limit: limit, at: now)
        inFlight += 1
        hold?.probe()
    }

    /// Replies first.
    mutating func popNext() -> UInt64? { replies.popFirst() ?? bulk.popFirst() }

    /// Somebody begins to wait.
    mutating func enter(_ id: UInt64, _ kind: SendAdmission.Kind) {
        count(kind, 1)
        enqueue(id, kind)
    }

    mutating func enqueue(_ id: UInt64, _ kind: SendAdmission.Kind) {
        if kind == .reply { replies.append(id) } else { bulk.append(id) }
    }

    mutating func count(_ kind: SendAdmission.Kind, _ change: Int) {
        if kind == .reply { waitingReplies += change } else { waitingBulk += change }
        assert(waitingReplies >= 0 && waitingBulk >= 0, "every waiter ends once")
    }
}
