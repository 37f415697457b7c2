import EventLog

/// Remembers ids for a window, to tell the first from its copies.
///
/// Two forms. With the id alone each is an entry of its own, exact, and may remember a value: for hundreds an hour. With
/// the time of the event too, and a bucket, ids are hashes of 8 bytes in shared entries, by the event's own hour: for
/// thousands a second. Copies have their original's time, so one entry is looked at. Two ids of one bucket are taken for
/// one with a probability of n²/2⁶⁵ for n ids: 3 · 10⁻⁸ for a million.
public struct Deduplication: Sendable {
    /// How long an id is remembered after it was met first; with buckets, after its bucket was written last.
    public let window: Duration
    /// What is shared; nil: an entry for each id.
    public let bucket: Duration?

    /// So many entries a bucket: small enough to be written again for each id.
    private static let shards: UInt64 = 4_096

    public init(window: Duration, bucket: Duration? = nil) {
        precondition(window > .zero && bucket ?? .seconds(1) > .zero, "windows and buckets have a length")
        self.window = window
        self.bucket = bucket
    }

    /// True the first time the id is met within the window, false for every copy.
    ///
    /// - Parameter time: when the event happened, by its own word; nil gives the id an entry of its own.
    public func isFirst(
        _ id: String, of time: Timestamp? = nil, at now: Timestamp, in state: any StateStore
    ) async throws -> Bool {
        if let bucket, let time { return try await isFirst(id, in: bucket, of: time, at: now, state) }
        if try await memory(of: id, in: state) != nil { return false }
        try await remember(id, as: [], from: now, in: state)
        return true
    }

    /// What was remembered of an id.
    public func memory(of id: String, in state: any StateStore) async throws -> [UInt8]? {
        try await state.value(Self.key(id))
    }

    /// Remembers an id for the window from `start` on, e.g. from when a command expires.
    public func remember(_ id: String, as value: [UInt8], from start: Timestamp, in state: any StateStore) async throws {
        try await state.set(Self.key(id), to: value, expires: start + window)
    }

    /// What keys of the state begin with, to declare what survives.
    public static let keyPrefix = "seen/"
    private static func key(_ id: String) -> String { keyPrefix + id }

    private func isFirst(
        _ id: String, in bucket: Duration, of time: Timestamp, at now: Timestamp, _ state: any StateStore
    ) async throws -> Bool {
        let hash = Self.hash(id)
        let length = max(bucket.milliseconds, 1)
        let number = (time.milliseconds - (time.milliseconds % length + length) % length) / length
        let key = Self.key("\(number)/\(hash % Self.shards)")
        var hashes = HashSet(packed: try await state.value(key) ?? [])
        guard hashes.insert(hash / Self.shards) else { return false }
        try await state.set(key, to: hashes.packed, expires: now + window)
        return true
    }

    /// FNV-1a with SplitMix64's finish: the same everywhere and for ever, because hashes are stored.
    static func hash(_ id: String) -> UInt64 {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        for byte in id.utf8 { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        hash = (hash ^ (hash >> 30)) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ (hash >> 27)) &* 0x94d0_49bb_1331_11eb
        return hash ^ (hash >> 31)
    }
}

/// Hashes in ascending order, 8 bytes each, most significant first.
private struct HashSet {
    private(set) var packed: [UInt8]

    /// False when it was there.
    mutating func insert(_ hash: UInt64) -> Bool {
        var (low, high) = (0, packed.count / 8)
        while low < high {
            let middle = (low + high) / 2
            let found = self[middle]
            if found == hash { return false }
            if found < hash { low = middle + 1 } else { high = middle }
        }
        packed.insert(contentsOf: withUnsafeBytes(of: hash.bigEndian) { Array($0) }, at: low * 8)
        return true
    }

    private subscript(index: Int) -> UInt64 {
        packed[index * 8..<index * 8 + 8].reduce(0) { $0 << 8 | UInt64($1) }
    }
}
