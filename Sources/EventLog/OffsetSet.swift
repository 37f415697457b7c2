/// A set of offsets as ascending, separate ranges: small when its members lie together.
public struct OffsetSet: Sendable, Hashable, Sequence {
    /// Ascending; neighbours never touch.
    public private(set) var ranges: [Range<Offset>] = []

    public init() {}
    public init(_ offsets: some Sequence<Offset>) {
        for offset in offsets { insert(offset) }
    }

    public var isEmpty: Bool { ranges.isEmpty }
    public var count: Int { ranges.reduce(0) { $0 + $1.count } }
    public var first: Offset? { ranges.first?.lowerBound }

    public func contains(_ offset: Offset) -> Bool {
        let index = firstRange(endingAfter: offset)
        return index < ranges.count && ranges[index].contains(offset)
    }

    public mutating func insert(_ offset: Offset) { insert(offset..<offset + 1) }

    public mutating func insert(_ range: Range<Offset>) {
        if range.isEmpty { return }
        let from = firstRange(endingAfter: range.lowerBound - 1)
        var to = from
        var merged = range
        while to < ranges.count, ranges[to].lowerBound <= range.upperBound {
            merged = Swift.min(merged.lowerBound, ranges[to].lowerBound)..<Swift.max(merged.upperBound, ranges[to].upperBound)
            to += 1
        }
        ranges.replaceSubrange(from..<to, with: [merged])
    }

    public mutating func remove(_ offset: Offset) {
        let index = firstRange(endingAfter: offset)
        guard index < ranges.count, ranges[index].contains(offset) else { return }
        let hit = ranges[index]
        let rest = [hit.lowerBound..<offset, offset + 1..<hit.upperBound].filter { !$0.isEmpty }
        ranges.replaceSubrange(index...index, with: rest)
    }

    public func makeIterator() -> some IteratorProtocol<Offset> { ranges.lazy.joined().makeIterator() }

    /// Index of the first range that ends after `offset`, by bisection.
    private func firstRange(endingAfter offset: Offset) -> Int {
        var low = 0
        var high = ranges.count
        while low < high {
            let middle = (low + high) / 2
            if ranges[middle].upperBound > offset { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
