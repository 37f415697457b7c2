import EventLog

/// The records of a lane that wait for a handler: a queue per key, and the keys that may go on.
///
/// A key is handed out by `begin` and belongs to its run until `end`, so that its records are handled one after the
/// other, whatever topic they come from. In ordered mode the lane is one key. Records of side inputs stand in a queue of
/// their own before the others of their key. Keys whose next record is of one main input stand apart from those of
/// another, and within an input by scope (`ReadyKeys`), so that a crowd of one holds up nobody else's.
struct KeyQueues {
    private let isOrdered: Bool
    private let scope: @Sendable (StoredRecord) -> String?
    private var queues: [RecordKey: KeyQueue] = [:]
    /// Keys with work that are not busy, the longest waiting first. A key to which a side record came later stands in
    /// both; where it is found first, it is taken.
    private var readyForSide = Fifo<RecordKey>()
    private var readyForMain: [ReadyKeys]
    /// Main records that wait.
    private(set) var mainCount = 0

    /// - Parameters:
    ///   - inputs: main inputs that are told apart.
    ///   - hands: of one input and scope that is alone.
    init(
        isOrdered: Bool, inputs: Int = 1, hands: Int = 1_000,
        scope: @escaping @Sendable (StoredRecord) -> String? = { _ in nil }
    ) {
        self.isOrdered = isOrdered
        self.scope = scope
        readyForMain = Array(repeating: ReadyKeys(hands: hands), count: inputs)
    }

    func key(of record: StoredRecord) -> RecordKey { isOrdered ? .lane : RecordKey(record) }

    /// Works of one partition.
    mutating func append(_ works: Works) {
        if isOrdered { return add(works, to: .lane) }
        for work in works { add([work], to: RecordKey(work.record)) }
    }

    /// Puts work of one key before what waits there: it is older.
    mutating func prepend(_ works: Works) {
        if let first = works.first { add(works, to: key(of: first.record), inFront: true) }
    }

    private mutating func add(_ works: Works, to key: RecordKey, inFront: Bool = false) {
        guard let first = works.first else { return }
        if !first.isSide { mainCount += works.count }
        setReady(key, queues[key, default: KeyQueue()].add(works, inFront: inFront))
    }

    /// The next key that may go on with a side record; it is busy from now on.
    mutating func beginSide() -> RecordKey? {
        while let key = readyForSide.popFirst() {
            if queues[key]?.beginSide() == true { return key }
        }
        return nil
    }

    /// The next key that may go on with a main record of that input, in the turn of its scope and while there are hands for
    /// it. Those that are not to the taker's liking keep their places.
    mutating func begin(input: Int = 0, if suits: (Work) -> Bool = { _ in true }) -> RecordKey? {
        var unsuited: [(key: RecordKey, first: Work)] = []
        defer { for (key, first) in unsuited { setReady(key, first) } }
        while let (key, scope) = readyForMain[input].begin() {
            switch queues[key]?.begin((input, scope), if: suits) {
            case .begun: return key
            case .unsuited(let first): unsuited.append((key, first))
            case .isNotReady, nil: break
            }
            readyForMain[input].end(scope)
        }
        return nil
    }

    /// The same of any input.
    mutating func beginMain(if suits: (Work) -> Bool) -> RecordKey? {
        for input in readyForMain.indices {
            if let key = begin(input: input, if: suits) { return key }
        }
        return nil
    }

    /// The oldest work of a key.
    func first(of key: RecordKey) -> Work? { queues[key]?.first }

    /// Takes the oldest works of a busy key: up to `most`, and while they are to the taker's liking.
    mutating func pop(_ key: RecordKey, upTo most: Int, while suits: (Work) -> Bool) -> Works {
        let taken = queues[key]?.pop(upTo: most, while: suits) ?? []
        if taken.first?.isSide == false { mainCount -= taken.count }
        return taken
    }

    /// The key's run is over.
    mutating func end(_ key: RecordKey) {
        guard let (hand, next, isEmpty) = queues[key]?.end() else { return }
        if let hand { readyForMain[hand.input].end(hand.scope) }
        if isEmpty { queues[key] = nil } else { setReady(key, next) }
    }

    /// - Parameter first: the record that the key has become ready with; nil when nothing changed.
    private mutating func setReady(_ key: RecordKey, _ first: Work?) {
        guard let first else { return }
        if first.isSide { return readyForSide.append(key) }
        readyForMain[first.input].append(key, of: isOrdered ? nil : scope(first.record))
    }
}
