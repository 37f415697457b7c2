import EventLog

/// Some keys of which records come seldom, looked up for every record: by a hash that is read where the record lies. Only
/// what has the hash of a member is copied and compared.
struct OrderKeySet {
    private var keys: [UInt32: [OrderKey]] = [:]
    /// A bit for each member's hash, and for some that were members: tells most others from them without a look into `keys`.
    private var bits: UInt64 = 0
    private var forgotten = 0

    var isEmpty: Bool { keys.isEmpty }

    func contains(_ record: StoredRecord) -> Bool {
        if keys.isEmpty { return false }
        let hash = record.keyHash
        guard bits & Self.bit(hash) != 0, let alike = keys[hash] else { return false }
        return alike.contains(OrderKey(record))
    }

    /// Once is enough.
    mutating func insert(_ key: OrderKey) {
        let hash = key.hash
        if keys[hash]?.contains(key) != true { keys[hash, default: []].append(key) }
        bits |= Self.bit(hash)
    }

    mutating func remove(_ key: OrderKey) {
        let hash = key.hash
        keys[hash]?.removeAll { $0 == key }
        if keys[hash]?.isEmpty == true { keys[hash] = nil }
        forgotten += 1
        if forgotten > keys.count {
            bits = keys.keys.reduce(0) { $0 | Self.bit($1) }
            forgotten = 0
        }
    }

    private static func bit(_ hash: UInt32) -> UInt64 { 1 << UInt64(hash >> 26) }
}

extension OrderKey {
    /// `StoredRecord.keyHash` of its records.
    fileprivate var hash: UInt32 { if case .bytes(let bytes) = key { Murmur2.hash(bytes) } else { 0 } }
}
