/// The messages of the last second: no second holds more than the limit, whatever stood still before it.
///
/// The bucket alone lets a little more go after an idle moment, which is how it catches up with stalls; this is what
/// keeps that from adding to a second that is full already. It knows the last messages up to the limit, so it is bounded
/// by it.
struct RateWindow: Sendable {
    static let length = Duration.seconds(1)
    private var times = Queue<Duration>()

    /// How many messages a second may hold at this rate: whole ones, and one even at the lowest rate.
    static func limit(_ rate: Double) -> Int { max(1, Int(rate + 1e-6)) }

    /// When the next message may go; not before `now`.
    mutating func next(limit: Int, at now: Duration) -> Duration {
        while let first = times.first, times.count > limit || first + Self.length <= now { _ = times.popFirst() }
        guard times.count == limit, let first = times.first else { return now }
        return first + Self.length
    }

    mutating func note(_ count: Int = 1, limit: Int, at time: Duration) {
        for _ in 0..<min(count, limit) { times.append(time) }
        while times.count > limit { _ = times.popFirst() }
    }

    /// What was to go from `start` on goes later.
    mutating func postpone(from start: Duration, by delay: Duration) {
        times.changeAll { $0 >= start ? $0 + delay : $0 }
    }
}
