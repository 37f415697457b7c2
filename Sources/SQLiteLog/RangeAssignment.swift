import EventLog

/// Kafka's `range` assignor: per topic, the sorted members get neighbouring partitions in near-equal shares, the first
/// ones one more. Topics of equal partition count are thereby co-assigned.
enum RangeAssignment {
    static func partitions(of member: String, among members: [String], count: Int32) -> Range<Int32> {
        let sorted = members.sorted()
        guard let index = sorted.firstIndex(of: member).map(Int32.init) else { return 0..<0 }
        let (share, extra) = count.quotientAndRemainder(dividingBy: Int32(sorted.count))
        let start = index * share + min(index, extra)
        return start..<start + share + (index < extra ? 1 : 0)
    }
}
