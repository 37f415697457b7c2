import EventLog
import Foundation

/// When customers write: an open loop, so a slow pipeline gets no mercy. Gaps are exponential (a Poisson process).
struct ArrivalSchedule: Sendable {
    private let meanGapMs: Double
    private let start: Timestamp
    private var random: SplitMix64
    /// Milliseconds from `start` to the next message; a fraction is kept so that high rates stay exact.
    private var nextMs: Double

    /// Nobody writes when `ratePerSecond` is 0.
    init(ratePerSecond: Double, start: Timestamp, seed: UInt64) {
        meanGapMs = ratePerSecond > 0 ? 1_000 / ratePerSecond : .infinity
        self.start = start
        random = SplitMix64(seed: seed)
        nextMs = 0
        nextMs = gap()
    }

    /// How many messages fell due since the last call.
    mutating func due(at now: Timestamp) -> Int {
        let elapsedMs = Double((now - start).milliseconds)
        var count = 0
        while nextMs <= elapsedMs {
            count += 1
            nextMs += gap()
        }
        return count
    }

    private mutating func gap() -> Double {
        -log(1 - random.unit()) * meanGapMs
    }
}
