import EventLog

/// Which content took which command id, as far as it is remembered: for `memory`, and no more than `maxKeys` of them.
///
/// Pure. Fed with claims in the order of the log, so that every instance comes to the same answer: the first counts.
struct KeyIndex: Sendable {
    struct Entry: Sendable, Hashable {
        let content: UInt128
        /// When the first caller came, and when its command ends: a repetition carries the same times.
        let requestedAt: Timestamp
        let expiresAt: Timestamp
        /// The command is durable, so that a repetition need not write it again. Known to the instance that wrote it.
        var isStored = false
    }

    private let memory: Duration
    private let maxKeys: Int
    private var entries: [UInt128: Entry] = [:]
    /// Ids in the order they were taken; what lies before `head` is forgotten.
    private var order: [UInt128] = []
    private var head = 0

    init(memory: Duration, maxKeys: Int) {
        self.memory = memory
        self.maxKeys = maxKeys
    }

    var count: Int { entries.count }

    subscript(_ id: UInt128) -> Entry? { entries[id] }

    /// Takes a claim unless the id is taken already, and forgets what is too old or too much.
    mutating func insert(_ entry: Entry, for id: UInt128, now: Timestamp) {
        forget(now)
        guard entry.requestedAt > now - memory, entries[id] == nil else { return }
        entries[id] = entry
        order.append(id)
        if entries.count > maxKeys { dropFirst() }
    }

    mutating func noteStored(_ id: UInt128) { entries[id]?.isStored = true }

    /// Forgets what was taken longer ago than the memory goes.
    mutating func forget(_ now: Timestamp) {
        while head < order.count, let oldest = entries[order[head]], oldest.requestedAt <= now - memory { dropFirst() }
    }

    private mutating func dropFirst() {
        entries[order[head]] = nil
        head += 1
        if head > 1_024, head > order.count / 2 {
            order.removeFirst(head)
            head = 0
        }
    }
}
