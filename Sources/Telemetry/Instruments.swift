import Metrics
import Synchronization

/// Adds up whole numbers.
final class CounterCell: CounterHandler {
    private let total = Atomic<Int64>(0)

    var value: Int64 { total.load(ordering: .relaxed) }

    /// A counter never falls: what is negative is not added.
    func increment(by amount: Int64) {
        if amount > 0 { total.wrappingAdd(amount, ordering: .relaxed) }
    }
    func reset() { total.store(0, ordering: .relaxed) }
}

/// Holds a number: a gauge, or a counter of fractions.
final class NumberCell: RecorderHandler, MeterHandler, FloatingPointCounterHandler {
    private let bits = Atomic<UInt64>(Double(0).bitPattern)

    var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }
    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    func decrement(by amount: Double) { increment(by: -amount) }
    func reset() { set(Double(0)) }

    func increment(by amount: Double) {
        var seen = bits.load(ordering: .relaxed)
        while true {
            let sum = (Double(bitPattern: seen) + amount).bitPattern
            let (isDone, found) = bits.weakCompareExchange(expected: seen, desired: sum, ordering: .relaxed)
            if isDone { return }
            seen = found
        }
    }
}

/// Counts values by size. Durations are recorded in seconds.
///
/// A reading may fall between the count and the sum of one value; what is counted in a bucket is counted for good, so
/// buckets and their total always agree.
final class HistogramCell: RecorderHandler, TimerHandler {
    /// Upper bounds, ascending; one more bucket takes the rest.
    let bounds: [Double]
    private let counts: [CounterCell]
    private let total = NumberCell()

    init(bounds: [Double]) {
        self.bounds = bounds
        counts = (0...bounds.count).map { _ in CounterCell() }
    }

    /// Not added up: one number for each bucket.
    var values: [Int64] { counts.map(\.value) }
    var sum: Double { total.value }

    func record(_ value: Int64) { record(Double(value)) }
    func recordNanoseconds(_ duration: Int64) { record(Double(duration) / 1e9) }
    func preferDisplayUnit(_ unit: TimeUnit) {}

    func record(_ value: Double) {
        guard !value.isNaN else { return }
        var at = 0
        while at < bounds.count, value > bounds[at] { at += 1 }
        counts[at].increment(by: 1)
        total.increment(by: value)
    }
}
