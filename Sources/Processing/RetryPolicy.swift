import EventLog

/// When a record that failed is tried again: exponential backoff with full jitter, bounded by attempts and by age.
///
/// The delay before attempt n+1 is drawn evenly from 0 up to `base · 2^(n-1)`, at most `cap`. With the defaults the
/// upper bound after 1, 2, 3, 4, 8, 12 attempts is 0.5 s, 1 s, 2 s, 4 s, 64 s, 300 s. Drawing from 0 spreads the
/// retries of many records that failed together.
public struct RetryPolicy: Sendable, Hashable {
    public var base: Duration
    public var cap: Duration
    /// Handling in all, the first one included.
    public var maxAttempts: Int
    /// No further attempt begins when the first one lies longer back.
    public var maxAge: Duration

    public init(
        base: Duration = .milliseconds(500), cap: Duration = .seconds(300), maxAttempts: Int = 12,
        maxAge: Duration = .seconds(3_600)
    ) {
        precondition(maxAttempts >= 1 && base > .zero && cap >= base, "a retry policy needs positive bounds")
        self.base = base
        self.cap = cap
        self.maxAttempts = maxAttempts
        self.maxAge = maxAge
    }

    /// Upper bound of the delay after `attempts` failed attempts.
    public func bound(afterAttempts attempts: Int) -> Duration {
        // 2^40 half-seconds are past any cap; stopping there keeps the shift from overflowing.
        let doublings = min(max(attempts - 1, 0), 40)
        return min(cap, base * (1 << doublings))
    }

    /// Whether a record that failed now is given up instead of tried again after `delay`.
    public func givesUp(
        _ failure: HandlerFailure, afterAttempts attempts: Int, failingSince first: Timestamp, now: Timestamp,
        delay: Duration
    ) -> Bool {
        !failure.isTransient || attempts >= maxAttempts || now + delay - first > maxAge
    }

    public func delay(afterAttempts attempts: Int, using random: inout some RandomNumberGenerator) -> Duration {
        .milliseconds(Int64.random(in: 0...bound(afterAttempts: attempts).milliseconds, using: &random))
    }
}
