/// A dictionary that forgets its oldest entries beyond `capacity`, so that books of a long run stay bounded.
struct BoundedTable<Key: Hashable & Sendable, Value: Sendable>: Sendable {
    let capacity: Int
    private var values: [Key: Value] = [:]
    /// Keys in order of arrival; what lies before `head` is forgotten already and cut off now and then.
    private var arrivals: [Key] = []
    private var head = 0

    init(capacity: Int) {
        precondition(capacity > 0, "a table needs room")
        self.capacity = capacity
    }

    var count: Int { values.count }
    var all: some Sequence<(key: Key, value: Value)> { arrivals[head...].lazy.map { (key: $0, value: values[$0]!) } }

    subscript(_ key: Key) -> Value? { values[key] }

    /// Adds or replaces. Returns the entry that had to go.
    mutating func set(_ key: Key, _ value: Value) -> (key: Key, value: Value)? {
        if values.updateValue(value, forKey: key) != nil { return nil }
        arrivals.append(key)
        guard values.count > capacity else { return nil }
        let oldest = arrivals[head]
        head += 1
        if head > capacity {
            arrivals.removeFirst(head)
            head = 0
        }
        return values.removeValue(forKey: oldest).map { (oldest, $0) }
    }

    /// Changes an entry that is there; nil when it is not, or no longer.
    mutating func change<Result>(_ key: Key, _ body: (inout Value) -> Result) -> Result? {
        guard let index = values.index(forKey: key) else { return nil }
        return body(&values.values[index])
    }
}
