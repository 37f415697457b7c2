/// Where a group stands in one partition: everything below `offset` is finished, but for the exceptions.
///
/// It travels in the commit's metadata as text, e.g. `mr1 p=12+3,20 a=40 u=0,5+2`: ranges are written from the offset
/// on, as distance from the one before and length, downwards in `p` (parked) and `a` (attempted below the offset),
/// upwards in `u` (attempted at or above it). `t=0.3.40,5.1.7` says of parked records, from the newest down, how many
/// are passed over, how often the next one failed, and for how many seconds, and, where effects of it were begun, how
/// many, and how many seconds after its own time the first (`0.3.40.5.2`); `~` at its end, that others failed too and
/// there was no room to say how often. So an operator can read it with any Kafka tool, and a broker's generation
/// check fences it like the offset itself. A broker takes at most 4,096 bytes: `encoded()` answers nil
/// beyond that and the caller must let the partition wait (bounded, nothing dropped).
public struct Progress: Sendable, Hashable {
    /// The next offset to read.
    public var offset: Offset
    /// Failed for a passing reason, or queued behind such a record of the same key; to be read again by offset.
    public var parked: OffsetSet
    /// An effect was begun and its outcome is not known to the log. A record may be parked and attempted. Those in
    /// flight lie at or above the offset, where they are unfinished like everything else.
    public var attempted: OffsetSet
    /// How often parked records failed; those behind such a record did not.
    public var tries: [Offset: Tries]
    /// False where `tries` of some are not told.
    public var triesAreComplete: Bool

    public init(
        offset: Offset, parked: OffsetSet = OffsetSet(), attempted: OffsetSet = OffsetSet(),
        tries: [Offset: Tries] = [:], triesAreComplete: Bool = true
    ) {
        self.offset = offset
        self.parked = parked
        self.attempted = attempted
        self.tries = tries
        self.triesAreComplete = triesAreComplete
    }

    /// The past of a record that failed.
    public struct Tries: Sendable, Hashable {
        public var attempts: Int
        /// Age at its last failure, or when it began to wait for an outage, counted from the first one without the time in which it was not held against it.
        public var seconds: Int64
        /// Nil when no effect of it was begun.
        public var effects: Effects?

        public init(attempts: Int, seconds: Int64, effects: Effects? = nil) {
            self.attempts = attempts
            self.seconds = seconds
            self.effects = effects
        }
    }

    /// Effects of a record that were begun, as its handler told with its last failure.
    public struct Effects: Sendable, Hashable {
        public var count: Int
        /// When the first began: seconds after the record's own time.
        public var seconds: Int64

        public init(count: Int, seconds: Int64) {
            self.count = count
            self.seconds = seconds
        }
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
            case "a=": attempted.formUnion(Self.decode(word.dropFirst(2), below: offset))
            case "u=": attempted.formUnion(Self.decode(word.dropFirst(2), from: offset))
            case "t=": decodeTries(word.dropFirst(2))
            default: continue
            }
        }
    }

    /// The commit that says the same; nil when the exceptions need more than `Commit.maxMetadataBytes`.
    public func encoded() -> Commit? {
        let note = note
        guard note.utf8.count <= Commit.maxMetadataBytes else { return nil }
        return Commit(offset: offset, metadata: note)
    }

    /// The exceptions as a commit's metadata has them, of whatever length; empty when there are none.
    public var note: String {
        if parked.isEmpty && attempted.isEmpty { return "" }
        // Each commit has one: written byte by byte, at a hundredth of the price of text put together.
        var note = Array(Self.tag.utf8)
        note.reserveCapacity(6 * (parked.ranges.count + attempted.ranges.count) + 64)
        if !parked.isEmpty { Self.write(parked, below: offset, as: " p=", to: &note) }
        if !tries.isEmpty || !triesAreComplete, !parked.isEmpty { writeTries(to: &note) }
        if !attempted.isEmpty {
            Self.write(attempted.clamped(to: 0..<max(offset, 0)), below: offset, as: " a=", to: &note)
            Self.write(attempted.clamped(to: max(offset, 0)..<Offset.max), from: offset, as: " u=", to: &note)
        }
        return String(decoding: note, as: UTF8.self)
    }

    /// Ranges from the newest down: distance from the lower bound of the range above it (at first: from `offset`) to
    /// this range's upper bound, then `+length` unless it is 1.
    private static func write(_ set: OffsetSet, below offset: Offset, as word: StaticString, to note: inout [UInt8]) {
        var edge = offset
        for (index, range) in set.ranges.reversed().enumerated() {
            note.append(index == 0 ? word : ",")
            note.append(gap: edge - range.upperBound, length: range.count)
            edge = range.lowerBound
        }
    }

    /// The same upwards: distance from the upper bound of the range below it (at first: from `offset`).
    private static func write(_ set: OffsetSet, from offset: Offset, as word: StaticString, to note: inout [UInt8]) {
        var edge = offset
        for (index, range) in set.ranges.enumerated() {
            note.append(index == 0 ? word : ",")
            note.append(gap: range.lowerBound - edge, length: range.count)
            edge = range.upperBound
        }
    }

    private static func decode(_ text: Substring, below offset: Offset) -> OffsetSet {
        var set = OffsetSet()
        var edge = offset
        for run in text.split(separator: ",") {
            guard let (gap, length) = numbers(run), gap <= edge, length <= edge - gap else { return set }
            let upper = edge - gap
            set.insert(upper - length..<upper)
            edge = upper - length
        }
        return set
    }

    private static func decode(_ text: Substring, from offset: Offset) -> OffsetSet {
        var set = OffsetSet()
        var edge = max(offset, 0)
        for run in text.split(separator: ",") {
            guard let (gap, length) = numbers(run), gap < .max - edge, length < .max - edge - gap else { return set }
            let lower = edge + gap
            set.insert(lower..<lower + length)
            edge = lower + length
        }
        return set
    }

    private func writeTries(to note: inout [UInt8]) {
        note.append(" t=")
        var left = tries.count
        var passedOver: Int64 = 0
        for range in parked.ranges.reversed() where left > 0 {
            for offset in range.reversed() {
                guard let known = tries[offset] else {
                    passedOver += 1
                    continue
                }
                if left < tries.count { note.append(",") }
                note.append(decimal: passedOver)
                note.append(".")
                note.append(decimal: Int64(known.attempts))
                note.append(".")
                note.append(decimal: known.seconds)
                if let effects = known.effects {
                    note.append(".")
                    note.append(decimal: Int64(effects.count))
                    note.append(".")
                    note.append(decimal: effects.seconds)
                }
                left -= 1
                passedOver = 0
            }
        }
        if !triesAreComplete { note.append("~") }
    }

    private mutating func decodeTries(_ text: Substring) {
        triesAreComplete = text.last != "~"
        var newestDown = parked.ranges.reversed().lazy.flatMap { $0.reversed() }.makeIterator()
        for word in text.split(whereSeparator: { $0 == "," || $0 == "~" }) {
            let numbers = word.split(separator: ".").map { Int64($0) }
            guard numbers.count == 3 || numbers.count == 5, let passed = numbers[0], let attempts = numbers[1], let seconds = numbers[2],
                (0...100_000).contains(passed), (0...Int64(Int32.max)).contains(attempts), seconds >= 0,
                seconds < Int64.max / 2_000
            else { return triesAreComplete = false }
            for _ in 0..<passed { _ = newestDown.next() }
            guard let offset = newestDown.next() else { return triesAreComplete = false }
            tries[offset] = Tries(attempts: Int(attempts), seconds: seconds, effects: effects(numbers[3...]))
        }
    }

    private func effects(_ numbers: ArraySlice<Int64?>) -> Effects? {
        guard let count = numbers.first ?? nil, let seconds = numbers.last ?? nil, (1...Int64(Int32.max)).contains(count),
            (0..<Int64.max / 2_000).contains(seconds)
        else { return nil }
        return Effects(count: Int(count), seconds: seconds)
    }

    private static func numbers(_ run: Substring) -> (gap: Offset, length: Offset)? {
        let parts = run.split(separator: "+", maxSplits: 1)
        guard let gap = parts.first.flatMap({ Offset($0) }), gap >= 0 else { return nil }
        guard let length = parts.count == 2 ? Offset(parts[1]) : 1, length > 0 else { return nil }
        return (gap, length)
    }
}

extension [UInt8] {
    fileprivate mutating func append(_ text: StaticString) {
        text.withUTF8Buffer { append(contentsOf: $0) }
    }

    /// - Parameter number: not negative.
    fileprivate mutating func append(decimal number: Int64) {
        if number >= 10 { append(decimal: number / 10) }
        append(UInt8(ascii: "0") + UInt8((number % 10).magnitude))
    }

    fileprivate mutating func append(gap: Offset, length: Int) {
        append(decimal: gap)
        if length == 1 { return }
        append("+")
        append(decimal: Int64(length))
    }
}
