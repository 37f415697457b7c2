/// Durations in logarithmic buckets, sixteen to a doubling: a percentile is at most 1/16 too high, whatever the range.
struct LatencyHistogram: Sendable {
    private static let bucketsPerDoubling = 16
    private var counts = [Int](repeating: 0, count: 48 * bucketsPerDoubling)
    private(set) var count = 0
    private(set) var max = Duration.zero

    mutating func record(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        let microseconds = Swift.max(seconds * 1_000_000 + attoseconds / 1_000_000_000_000, 0)
        counts[Swift.min(Self.bucket(of: UInt64(microseconds)), counts.count - 1)] += 1
        count += 1
        max = Swift.max(max, duration)
    }

    /// The upper edge of the bucket that holds the given share of all durations; zero when there are none.
    func percentile(_ share: Double) -> Duration {
        let rank = Swift.max(Int((Double(count) * share).rounded(.up)), 1)
        var seen = 0
        for (bucket, number) in counts.enumerated() {
            seen += number
            if seen >= rank { return Swift.min(.microseconds(Self.upperEdge(of: bucket)), max) }
        }
        return .zero
    }

    private static func bucket(of value: UInt64) -> Int {
        guard value >= UInt64(bucketsPerDoubling) else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        return (exponent - 3) * bucketsPerDoubling + Int(value >> (exponent - 4)) - bucketsPerDoubling
    }

    private static func upperEdge(of bucket: Int) -> Int64 {
        guard bucket >= bucketsPerDoubling else { return Int64(bucket) }
        let exponent = bucket / bucketsPerDoubling + 3
        let mantissa = Int64(bucket % bucketsPerDoubling + bucketsPerDoubling)
        return ((mantissa + 1) << (exponent - 4)) - 1
    }
}
