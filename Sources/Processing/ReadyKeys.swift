/// The keys of one main input that may go on, by the scope of their next record (`Processor.outageScope`: a number, a
/// host), and the hands that work on them.
///
/// Scopes take turns. One may take another hand while it has fewer than are free: alone it gets half of all, of `n` that
/// would take all each gets one part in `n + 1`, and as many are free for whoever comes next. So records that wait, for
/// a rate or an answer, hold up those of their own scope alone.
struct ReadyKeys {
    private struct Scope {
        var name: String?
        /// The longest waiting first.
        var keys = Fifo<RecordKey>()
        var hands = 0
    }

    private var free: Int
    /// The first is that of records without a name. Others go when they have neither keys nor hands, and leave their place.
    private var scopes = [Scope()]
    private var places: [String: Int] = [:]
    private var vacant: [Int] = []
    /// Scopes with keys, whose turn it is first.
    private var ring = Fifo<Int>()

    /// - Parameter hands: of one scope that is alone.
    init(hands: Int) { free = 2 * hands }

    mutating func append(_ key: RecordKey, of name: String?) {
        let scope = name.map { place(of: $0) } ?? 0
        if scopes[scope].keys.isEmpty { ring.append(scope) }
        scopes[scope].keys.append(key)
    }

    private mutating func place(of name: String) -> Int {
        if let known = places[name] { return known }
        let place = vacant.popLast() ?? scopes.count
        if place == scopes.count { scopes.append(Scope()) }
        scopes[place].name = name
        places[name] = place
        return place
    }

    /// Gives a hand to the next key of the scope whose turn it is.
    mutating func begin() -> (key: RecordKey, scope: Int)? {
        for _ in 0..<ring.count where free > 0 {
            guard let scope = ring.popFirst() else { break }
            guard scopes[scope].hands < free, let key = scopes[scope].keys.popFirst() else {
                ring.append(scope)
                continue
            }
            scopes[scope].hands += 1
            free -= 1
            if !scopes[scope].keys.isEmpty { ring.append(scope) }
            return (key, scope)
        }
        return nil
    }

    /// The hand is free again.
    mutating func end(_ scope: Int) {
        free += 1
        scopes[scope].hands -= 1
        guard scopes[scope].hands == 0, scopes[scope].keys.isEmpty, let name = scopes[scope].name else { return }
        scopes[scope] = Scope()
        places[name] = nil
        vacant.append(scope)
    }
}
