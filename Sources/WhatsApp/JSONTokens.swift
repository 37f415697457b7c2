/// The list that a scan writes. It keeps its memory for the next one, up to a size that common bodies stay below.
final class JSONTokens {
    private var memory = UnsafeMutableBufferPointer<JSONToken>(start: nil, count: 0)
    private var count = 0

    /// Beyond it the memory goes back when the next scan begins.
    private static let keptCapacity = 16 << 10

    deinit { memory.deallocate() }

    /// What the last scan found, for as long as this lives and until the next one begins.
    var scanned: UnsafeBufferPointer<JSONToken> { UnsafeBufferPointer(rebasing: memory[..<count]) }

    /// Begins anew. The writer has the memory until `end`.
    func begin(expecting capacity: Int) -> Writer {
        count = 0
        if memory.count < capacity || memory.count > Self.keptCapacity {
            memory.deallocate()
            memory = .allocate(capacity: max(1, capacity))
        }
        return Writer(self)
    }

    func end(_ writer: Writer) { count = writer.count }

    private func grow(_ used: Int) {
        let larger = UnsafeMutableBufferPointer<JSONToken>.allocate(capacity: 2 * memory.count)
        larger.baseAddress!.initialize(from: memory.baseAddress!, count: used)
        memory.deallocate()
        memory = larger
    }

    /// The list while it is written: an entry costs a comparison and a store.
    struct Writer {
        /// The scan's caller holds it.
        private unowned(unsafe) let owner: JSONTokens
        private var base: UnsafeMutablePointer<JSONToken>
        private var capacity: Int
        private(set) var count = 0

        fileprivate init(_ owner: JSONTokens) {
            self.owner = owner
            base = owner.memory.baseAddress!
            capacity = owner.memory.count
        }

        @inline(__always)
        mutating func append(_ token: JSONToken) {
            if count == capacity { grow() }
            (base + count).initialize(to: token)
            count += 1
        }

        /// Ends a container whose `next` named the one around it, which is answered.
        @inline(__always)
        mutating func close(_ container: Int, at end: Int) -> Int {
            assert(container < count)
            let outer = Int(base[container].next)
            base[container].end = UInt32(end)
            base[container].next = UInt32(count)
            return outer
        }

        @inline(never)
        private mutating func grow() {
            owner.grow(count)
            base = owner.memory.baseAddress!
            capacity = owner.memory.count
        }
    }
}
