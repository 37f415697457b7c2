/// Where a group stands in one partition: everything below `offset` is finished, but for the exceptions.
///
/// It travels in the commit's metadata as text, e.g. `mr1 p=12+3,20 a=40`: ranges are written from the newest down, as
/// distance from the one above and length, so that an operator can read it with any Kafka tool and a broker's
/// generation check fences it like the offset itself. A broker takes at most 4,096 bytes: `encoded()` answers nil
/// beyond that and the caller must let the partition wait (bounded, nothing dropped).
public struct Progress: Sendable, Hashable {
    /// The next offset to read.
    public var offset: Offset
    /// Failed for a passing reason, or queued behind such a record of the same key; to be read again by offset.
    public var parked: OffsetSet
    /// An effect was begun and its outcome is not known to the log.
    public var attempted: OffsetSet

    public init(offset: Offset, parked: OffsetSet = OffsetSet(), attempted: OffsetSet = OffsetSet()) {
        self.offset = offset
        self.parked = parked
        self.attempted = attempted
    }

    private static let tag = "mr1"

    /// Progress from a commit. A note that is not ours (another tool moved the group) means: no exceptions.
    public init(_ commit: Commit) {
        self.init(offset: commit.offset)
        let words = commit.metadata.split(separator: " ")
        guard words.first == Substring(Self.tag) else { return }
        for word in words.dropFirst() {
            switch word.prefix(2) {
            case "p=": parked = Self.decode(word.dropFirst(2), below: offset)
            case "a=": attempted = Self.decode(word.dropFirst(2), below: offset)
            default: continue
            }
        }
    }

    /// The commit that says the same; nil when the exceptions need more than `Commit.maxMetadataBytes`.
    public func encoded() -> Commit? {
        var metadata = ""
        if !parked.isEmpty || !attempted.isEmpty {
            metadata = Self.tag
            if !parked.isEmpty { metadata += " p=" + Self.encode(parked, below: offset) }
            if !attempted.isEmpty { metadata += " a=" + Self.encode(attempted, below: offset) }
        }
        guard metadata.utf8.count <= Commit.maxMetadataBytes else { return nil }
        return Commit(offset: offset, metadata: metadata)
    }

    /// Ranges from the newest down: distance from the lower bound of the range above it (at first: from `offset`) to
    /// this range's upper bound, then `+length` unless it is 1.
    private static func encode(_ set: OffsetSet, below offset: Offset) -> String {
        var edge = offset
        return set.ranges.reversed().map { range in
            let gap = edge - range.upperBound
            edge = range.lowerBound
            return range.count == 1 ? "\(gap)" : "\(gap)+\(range.count)"
        }.joined(separator: ",")
    }

    private static func decode(_ text: Substring, below offset: Offset) -> OffsetSet {
        var set = OffsetSet()
        var edge = offset
        for run in text.split(separator: ",") {
            let parts = run.split(separator: "+", maxSplits: 1)
            guard let gap = parts.first.flatMap({ Offset($0) }), gap >= 0, gap <= edge else { return set }
            guard let length = parts.count == 2 ? Offset(parts[1]) : 1, length > 0, length <= edge - gap else { return set }
            let upper = edge - gap
            set.insert(upper - length..<upper)
            edge = upper - length
        }
        return set
    }
}
