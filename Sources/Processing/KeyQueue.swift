import EventLog

/// The records of one key that wait, side records first, and where the key is listed as ready.
struct KeyQueue {
    /// A hand for main records of an input, lent to a scope (`ReadyKeys`).
    typealias Hand = (input: Int, scope: Int)

    enum Begun {
        case begun
        /// Not to the taker's liking; the key stays listed.
        case unsuited(Work)
        /// It is busy by now, or goes on with another kind of record, and is listed for that.
        case isNotReady
    }

    private var side = WorkQueue()
    private var main = WorkQueue()
    private var isBusy = false
    /// That is busy with it, if it is one for main records.
    private var hand: Hand?
    private var isListedForSide = false
    /// Inputs, as bits. A processor has a few.
    private var listedForMain: UInt64 = 0

    var first: Work? { side.first ?? main.first }

    /// Works of one kind. Answers the first record if the key has become ready with it.
    mutating func add(_ works: Works, inFront: Bool) -> Work? {
        let isSide = works[0].isSide
        let wasEmpty = isSide ? side.isEmpty : main.isEmpty
        switch (isSide, inFront) {
        case (true, false): side.append(works)
        case (true, true): side.prepend(works)
        case (false, false): main.append(works)
        case (false, true): main.prepend(works)
        }
        // What was added is all that the key has of its kind: so it has become ready, or ready for side records.
        return wasEmpty && !isBusy && (isSide || side.isEmpty) ? list() : nil
    }

    /// Works of one kind.
    mutating func pop(upTo most: Int, while suits: (Work) -> Bool) -> Works {
        side.isEmpty ? main.popFirst(upTo: most, while: suits) : side.popFirst(upTo: most, while: suits)
    }

    mutating func beginSide() -> Bool {
        isListedForSide = false
        guard !isBusy, !side.isEmpty else { return false }
        isBusy = true
        return true
    }

    mutating func begin(_ hand: Hand, if suits: (Work) -> Bool) -> Begun {
        guard !isBusy, side.isEmpty, let first = main.first, first.input == hand.input else {
            listedForMain &= ~(1 << hand.input)
            return .isNotReady
        }
        guard suits(first) else { return .unsuited(first) }
        listedForMain &= ~(1 << hand.input)
        (isBusy, self.hand) = (true, hand)
        return .begun
    }

    /// The run is over. Answers its hand, and the record that the key is ready with again.
    mutating func end() -> (hand: Hand?, next: Work?, isEmpty: Bool) {
        defer { hand = nil }
        isBusy = false
        return (hand, list(), side.isEmpty && main.isEmpty)
    }

    /// Nil when there is nothing, or when it is listed for that already.
    private mutating func list() -> Work? {
        guard let first else { return nil }
        if first.isSide {
            defer { isListedForSide = true }
            return isListedForSide ? nil : first
        }
        let bit: UInt64 = 1 << first.input
        defer { listedForMain |= bit }
        return listedForMain & bit == 0 ? first : nil
    }
}
