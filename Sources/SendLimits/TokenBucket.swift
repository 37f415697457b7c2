/// Tokens that come back at a steady rate; one message takes one.
///
/// Times are durations since the limiter began. The bucket starts empty: after a crash or a rebalance nobody knows what
/// the number sent a moment ago.
struct TokenBucket: Sendable {
    /// How much of the rate's time is kept when nobody sends. It is what a late timer or a short stall may catch up with,
    /// and what may leave at once beyond the rate; so it is short.
    static let depth = 0.1
    /// What inbound traffic may take beyond what is there, in seconds of the rate: the debt is bounded so that a flood
    /// of inbound messages, which no limiter can slow, does not silence the number for long.
    static let maxDebt = 1.0
    /// Rounding of a wait to nanoseconds must not leave the bucket short of a whole token.
    private static let slack = 1e-6

    private var level = 0.0
    private var refilledAt: Duration

    init(at now: Duration) { refilledAt = now }

    mutating func refill(rate: Double, at now: Duration) {
        guard now > refilledAt else { return }
        level = min(max(1, rate * Self.depth), level + rate * (now - refilledAt).inSeconds)
        refilledAt = now
    }

    /// How long until a token is there; nil when none will come at this rate.
    func wait(rate: Double) -> Duration? {
        if level >= 1 - Self.slack { return .zero }
        return rate > 0 ? .seconds(max((1 - level) / rate, 1e-6)) : nil
    }

    mutating func take() { level -= 1 }

    /// Counts messages that were not asked for.
    mutating func spend(_ count: Int, rate: Double) {
        level = max(level - Double(count), min(level, -rate * Self.maxDebt))
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) * 1e-18 }
}
