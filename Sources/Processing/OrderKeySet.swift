import EventLog

/// Some keys of which records come seldom, looked up for every record: by a hash that is read where the record lies. Only
/// what has the hash of a member is copied and compared.
struct OrderKeySet {
    private var keys: [UInt32: [OrderKey]] = [:]

    var isEmpty: Bool { keys.isEmpty }

    func contains(_ record: StoredRecord) -> Bool {
        guard !keys.isEmpty, let alike = keys[record.keyHash] else { return false }
        return alike.contains(OrderKey(record))
    }

    /// Once is enough.
    mutating func insert(_ key: OrderKey) {
        if keys[key.hash]?.contains(key) != true { keys[key.hash, default: []].append(key) }
    }

    mutating func remove(_ key: OrderKey) {
        keys[key.hash]?.removeAll { $0 == key }
        if keys[key.hash]?.isEmpty == true { keys[key.hash] = nil }
    }
}

extension OrderKey {
    /// `StoredRecord.keyHash` of its records.
    fileprivate var hash: UInt32 { if case .bytes(let bytes) = key { Murmur2.hash(bytes) } else { 0 } }
}
