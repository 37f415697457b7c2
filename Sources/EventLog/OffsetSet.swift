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

    public mutating func remove(_ offset: Offset) { remove(offset..<offset + 1) }

    public mutating func remove(_ range: Range<Offset>) {
        let from = firstRange(endingAfter: range.lowerBound)
        var to = from
        var rest: [Range<Offset>] = []
        while to < ranges.count, ranges[to].overlaps(range) {
            let hit = ranges[to]
            if hit.lowerBound < range.lowerBound { rest.append(hit.lowerBound..<range.lowerBound) }
            if hit.upperBound > range.upperBound { rest.append(range.upperBound..<hit.upperBound) }
            to += 1
        }
        if to > from { ranges.replaceSubrange(from..<to, with: rest) }
    }

    public mutating func formUnion(_ other: OffsetSet) {
        for range in other.ranges { insert(range) }
    }

    /// The member before which there are `index` others; nil when there are not so many.
    public func member(at index: Int) -> Offset? {
        var left = index
        for range in ranges {
            if left < range.count { return range.lowerBound + Offset(left) }
            left -= range.count
        }
        return nil
    }

    /// The members that lie in `bounds`.
    public func clamped(to bounds: Range<Offset>) -> OffsetSet {
        var part = OffsetSet()
        if bounds.isEmpty { return part }
        var index = firstRange(endingAfter: bounds.lowerBound)
        while index < ranges.count, ranges[index].lowerBound < bounds.upperBound {
            part.ranges.append(ranges[index].clamped(to: bounds))
            index += 1
        }
        return part
    }

    /// Few ranges that cover all members, for whoever reads forward cheaply and jumps at a price: gaps of up to `gap` offsets
    /// are covered too.
    public func spans(acrossGapsUpTo gap: Offset) -> [Range<Offset>] {
        var spans: [Range<Offset>] = []
        for range in ranges {
            if let last = spans.last, range.lowerBound - last.upperBound <= gap {
                spans[spans.count - 1] = last.lowerBound..<range.upperBound
            } else {
                spans.append(range)
            }
        }
        return spans
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
