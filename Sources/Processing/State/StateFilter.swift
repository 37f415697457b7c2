import Synchronization

/// Says of most keys that were never written that they were not: a lookup on the disk costs more than all else a handler
/// does with its state.
///
/// A Bloom filter of the keys on the disk, with `bitsPerKey` for each. It answers "may be there" while it is being filled
/// from what the disk holds, and from the moment on when it holds more than it was made for; then it is filled anew, for
/// twice as many, up to `maxKeys`. Removed keys stay in it until then.
final class StateFilter: Sendable {
    /// Of keys that are not there one in eleven is looked for all the same.
    private static let bitsPerKey = 5
    private static let probes: UInt64 = 3
    /// 2.5 MB for a lane.
    static let maxKeys = 4 << 20
    static let leastKeys = 1 << 14

    private struct Bits {
        var words: [UInt64] = []
        var keys = 0
        var capacity = 0
        /// All keys on the disk are in it.
        var isComplete = false

        init(capacity: Int) {
            self.capacity = capacity
            words = Array(repeating: 0, count: capacity * StateFilter.bitsPerKey / 64 + 1)
        }

        mutating func insert(_ hash: Int) {
            keys += 1
            for probe in 0..<StateFilter.probes {
                let place = place(hash, probe)
                words[place.word] |= place.bit
            }
        }

        func mayHold(_ hash: Int) -> Bool {
            for probe in 0..<StateFilter.probes {
                let place = place(hash, probe)
                if words[place.word] & place.bit == 0 { return false }
            }
            return true
        }

        private func place(_ hash: Int, _ probe: UInt64) -> (word: Int, bit: UInt64) {
            let hash = UInt64(bitPattern: Int64(hash))
            let mixed = hash &+ probe &* (hash >> 32 | hash << 32 | 1)
            let index = Int(mixed.multipliedFullWidth(by: UInt64(words.count * 64)).high)
            return (index / 64, 1 << UInt64(index % 64))
        }
    }

    /// Nil while there is none.
    private let bits = Mutex<Bits?>(nil)

    /// Makes room for so many keys; false when that would be too much. From then on `insert` counts, and `complete` says
    /// that what was there before has come, too.
    func begin(expecting count: Int) -> Bool {
        let capacity = max(Self.leastKeys, count * 2)
        guard capacity <= Self.maxKeys else {
            bits.withLock { $0 = nil }
            return false
        }
        bits.withLock { $0 = Bits(capacity: capacity) }
        return true
    }

    /// - Returns: Keys in it when it is over-full and must be filled anew.
    @discardableResult
    func insert(_ keys: some Sequence<String>) -> Int? {
        let hashes = keys.map(\.hashValue)
        return bits.withLock { bits in
            guard bits != nil else { return nil }
            for hash in hashes { bits?.insert(hash) }
            guard let full = bits, full.isComplete, full.keys > full.capacity else { return nil }
            bits?.isComplete = false
            return full.keys
        }
    }

    func complete() { bits.withLock { $0?.isComplete = true } }

    /// False only of a key that is not on the disk.
    func mayHold(_ key: String) -> Bool {
        let hash = key.hashValue
        return bits.withLock { bits in
            guard bits?.isComplete == true else { return true }
            return bits?.mayHold(hash) ?? true
        }
    }
}
