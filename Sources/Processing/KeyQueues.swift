import EventLog

/// The records of a lane that wait for a handler: a queue per key, and the keys that may go on.
///
/// A key is handed out by `begin` and belongs to its run until `end`, so that its records are handled one after the
/// other, whatever topic they come from. In ordered mode the lane is one key. Records of side inputs stand in a queue of
/// their own before the others of their key. Keys whose next record is of one main input stand apart from those of
/// another, so that a crowd of one input holds up nobody else's.
struct KeyQueues {
    private struct Queue {
        var side = Fifo<Work>()
        var main = Fifo<Work>()
        var isBusy = false
        /// Stands in the list of ready keys.
        var isListedForSide = false
        /// The same by main input.
        var isListedForMain: Set<Int> = []

        var first: Work? { side.first ?? main.first }

        mutating func append(_ works: [Work]) {
            if works[0].isSide { side.append(contentsOf: works) } else { main.append(contentsOf: works) }
        }
        mutating func prepend(_ works: [Work]) {
            if works[0].isSide { side.prepend(works) } else { main.prepend(works) }
        }
        mutating func pop(upTo most: Int, while suits: (Work) -> Bool) -> [Work] {
            if side.isEmpty { return main.popFirst(upTo: most, while: suits) }
            let taken = side.popFirst(upTo: most, while: suits)
            return side.isEmpty ? taken + main.popFirst(upTo: most - taken.count, while: suits) : taken
        }
        /// False when it stood there already.
        mutating func list(for work: Work) -> Bool {
            if !work.isSide { return isListedForMain.insert(work.input).inserted }
            defer { isListedForSide = true }
            return !isListedForSide
        }
    }

    private let isOrdered: Bool
    private var queues: [RecordKey: Queue] = [:]
    /// Keys with work that are not busy, the longest waiting first. A key to which a side record came later stands in
    /// both; where it is found first, it is taken.
    private var readyForSide = Fifo<RecordKey>()
    private var readyForMain: [Fifo<RecordKey>]
    /// Main records that wait.
    private(set) var mainCount = 0

    /// - Parameter inputs: main inputs that are told apart.
    init(isOrdered: Bool, inputs: Int = 1) {
        self.isOrdered = isOrdered
        readyForMain = Array(repeating: Fifo(), count: inputs)
    }

    func key(of record: StoredRecord) -> RecordKey { isOrdered ? .lane : RecordKey(record) }

    /// Works of one partition.
    mutating func append(_ works: [Work]) {
        if isOrdered { return append(works, to: .lane) }
        for work in works { append([work], to: RecordKey(work.record)) }
    }

    private mutating func append(_ works: [Work], to key: RecordKey) {
        guard let first = works.first else { return }
        queues[key, default: Queue()].append(works)
        if !first.isSide { mainCount += works.count }
        noteReady(key, first, added: works.count)
    }

    /// Puts work of one key before what waits there: it is older.
    mutating func prepend(_ works: [Work]) {
        guard let first = works.first else { return }
        let key = key(of: first.record)
        queues[key, default: Queue()].prepend(works)
        if !first.isSide { mainCount += works.count }
        noteReady(key, first, added: works.count)
    }

    /// The next key that may go on with a side record; it is busy from now on.
    mutating func beginSide() -> RecordKey? {
        while let key = readyForSide.popFirst() {
            queues[key]?.isListedForSide = false
            if begin(key, if: \.isSide) { return key }
        }
        return nil
    }

    /// The next key that may go on with a record of that main input.
    mutating func begin(input: Int = 0) -> RecordKey? {
        while let key = readyForMain[input].popFirst() {
            queues[key]?.isListedForMain.remove(input)
            if begin(key, if: { !$0.isSide && $0.input == input }) { return key }
        }
        return nil
    }

    /// What was listed may be something else by now.
    private mutating func begin(_ key: RecordKey, if isMeant: (Work) -> Bool) -> Bool {
        guard let queue = queues[key], !queue.isBusy, let first = queue.first, isMeant(first) else { return false }
        queues[key]?.isBusy = true
        return true
    }

    /// The same for a main record to the taker's liking; looks at each ready key once.
    mutating func beginMain(if suits: (Work) -> Bool) -> RecordKey? {
        for input in readyForMain.indices {
            for _ in 0..<readyForMain[input].count {
                guard let key = begin(input: input) else { break }
                if let first = queues[key]?.first, suits(first) { return key }
                end(key)
            }
        }
        return nil
    }

    /// The oldest work of a key.
    func first(of key: RecordKey) -> Work? { queues[key]?.first }

    /// Takes the oldest works of a busy key: up to `most`, and while they are to the taker's liking.
    mutating func pop(_ key: RecordKey, upTo most: Int, while suits: (Work) -> Bool) -> [Work] {
        let taken = queues[key]?.pop(upTo: most, while: suits) ?? []
        mainCount -= taken.count { !$0.isSide }
        return taken
    }

    /// The key's run is over.
    mutating func end(_ key: RecordKey) {
        guard let first = queues[key]?.first else {
            queues[key] = nil
            return
        }
        queues[key]?.isBusy = false
        setReady(key, first)
    }

    /// What was added is all that the key has of its kind: so it has become ready, or ready for side records.
    private mutating func noteReady(_ key: RecordKey, _ work: Work, added: Int) {
        guard let queue = queues[key], !queue.isBusy, let first = queue.first, first.isSide == work.isSide else { return }
        if (work.isSide ? queue.side : queue.main).count == added { setReady(key, first) }
    }

    private mutating func setReady(_ key: RecordKey, _ first: Work) {
        guard queues[key]?.list(for: first) == true else { return }
        if first.isSide { readyForSide.append(key) } else { readyForMain[first.input].append(key) }
    }
}
