/// The platform's limit between one business number and one user ("About the platform", error 131056): one message in
/// 6 seconds; a burst of up to 45 within 6 seconds is lent from the future and paid back in silence, so that 20 at once
/// mean 2 minutes without any.
///
/// The platform counts arrivals and we count departures, hence the small margins.
struct PairLimit: Sendable {
    static let interval = Duration.milliseconds(6_100)
    static let burstSpan = Duration.milliseconds(5_900)
    static let burst = 45
    /// 4^X seconds after the X-th refusal in a row, X = 0, 1, 2, …; bounded to 4^6 s, a little over an hour.
    static let maxStrikes = 6

    private var burstBegan: Duration
    private var sentInBurst = 0
    /// When everything lent is paid back.
    private var paidAt: Duration
    private var blockedUntil: Duration
    private var strikes = 0
    private var struckAt: Duration?

    init(at now: Duration) { (burstBegan, paidAt, blockedUntil) = (now, now, now) }

    /// How long until a message may go.
    func wait(at now: Duration) -> Duration {
        let isInBurst = sentInBurst < Self.burst && now - burstBegan < Self.burstSpan
        let allowedAt = isInBurst ? now : paidAt
        return max(.zero, max(allowedAt, blockedUntil) - now)
    }

    mutating func take(at now: Duration) {
        if now >= paidAt { (burstBegan, sentInBurst, paidAt) = (now, 0, now) }
        sentInBurst += 1
        paidAt += Self.interval
    }

    /// The platform refused a message that left at `sentAt`. Those that left before the last refusal came back count
    /// with it.
    mutating func refused(sentAt: Duration, at now: Duration) {
        if let struckAt, sentAt <= struckAt { return }
        struckAt = now
        blockedUntil = now + backoff
        strikes = min(strikes + 1, Self.maxStrikes)
        // Whatever we believed to be lent, the platform lends no more.
        sentInBurst = Self.burst
    }

    mutating func accepted(sentAt: Duration) {
        if let struckAt, sentAt <= struckAt { return }
        strikes = 0
    }

    /// From then on it is like a pair that was never seen. Strikes are remembered for as long as they blocked.
    var forgettableAt: Duration { max(paidAt, strikes > 0 ? blockedUntil + backoff : blockedUntil) }

    private var backoff: Duration { .seconds(1 << (2 * strikes)) }
}

/// The pairs that owe something, a bounded number of them.
///
/// When the table is full, pairs that owe nothing go, and if that is not enough, those that owe least: the platform's own
/// refusal (131056) then brings the backoff that the table would have avoided.
struct PairTable: Sendable {
    let capacity: Int
    private var pairs: [String: PairLimit] = [:]
    /// Until the platform refuses a message of a pair, no acceptance is news.
    private var wasEverRefused = false

    init(capacity: Int) {
        precondition(capacity > 0, "a table needs room")
        self.capacity = capacity
    }

    var count: Int { pairs.count }

    func wait(_ key: String, at now: Duration) -> Duration { pairs[key]?.wait(at: now) ?? .zero }

    mutating func take(_ key: String, at now: Duration) { change(key, at: now) { $0.take(at: now) } }

    mutating func refused(_ key: String, sentAt: Duration, at now: Duration) {
        wasEverRefused = true
        change(key, at: now) { $0.refused(sentAt: sentAt, at: now) }
    }

    mutating func accepted(_ key: String, sentAt: Duration) {
        if wasEverRefused { pairs[key]?.accepted(sentAt: sentAt) }
    }

    private mutating func change(_ key: String, at now: Duration, _ body: (inout PairLimit) -> Void) {
        if pairs.count >= capacity, pairs[key] == nil { makeRoom(at: now) }
        body(&pairs[key, default: PairLimit(at: now)])
    }

    /// Frees an eighth at least, so that the cost of looking at all is shared by many additions.
    private mutating func makeRoom(at now: Duration) {
        pairs = pairs.filter { $0.value.forgettableAt > now }
        let keep = capacity - max(1, capacity / 8)
        guard pairs.count > keep else { return }
        let leastOwing = pairs.map { (key: $0.key, at: $0.value.forgettableAt) }.sorted { $0.at < $1.at }
        for (key, _) in leastOwing.prefix(pairs.count - keep) { pairs[key] = nil }
    }
}
