/// The numbers that have a state of their own.
///
/// A dictionary moves what it holds out and in again at each change, and a message makes some twenty. Here a lane is changed
/// where it lies, and who has looked a number up once goes on by its place.
struct NumberLanes: Sendable {
    private var places: [String: Int] = [:]
    private var slots: [NumberLane] = []
    private var vacant: [Int] = []

    var count: Int { places.count }
    var numbers: [String] { Array(places.keys) }

    /// Good for as long as the number stays: while messages of it wait or are under way, it does.
    func place(of number: String) -> Int? { places[number] }

    /// Inlined, because an accessor that is called allocates what it keeps until it goes on. Of a number that went it is
    /// what was left of it.
    subscript(place: Int) -> NumberLane {
        @inline(__always) _read { yield slots[place] }
        @inline(__always) _modify { yield &slots[place] }
    }

    /// Nil for a number that is not there: `insert` adds one. For what happens seldom: it copies.
    subscript(number: String) -> NumberLane? {
        get { places[number].map { slots[$0] } }
        set { if let newValue, let place = places[number] { slots[place] = newValue } }
    }

    /// Answers its place.
    mutating func insert(_ lane: NumberLane, of number: String) -> Int {
        precondition(places[number] == nil, "a number has one lane")
        let place = vacant.popLast() ?? slots.count
        if place == slots.count { slots.append(lane) } else { slots[place] = lane }
        places[number] = place
        return place
    }

    mutating func removeAll(where isGone: (NumberLane) -> Bool) {
        for (number, place) in places where isGone(slots[place]) {
            places[number] = nil
            vacant.append(place)
        }
    }
}
