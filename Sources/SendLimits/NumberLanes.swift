/// The numbers that have a state of their own.
///
/// A dictionary moves what it holds out and in again at each change, and a message makes some twenty. Here a lane is changed
/// where it lies.
struct NumberLanes: Sendable {
    private var places: [String: Int] = [:]
    private var slots: [NumberLane?] = []
    private var vacant: [Int] = []

    var count: Int { places.count }
    var numbers: [String] { Array(places.keys) }

    subscript(number: String) -> NumberLane? {
        _read {
            if let place = places[number] { yield slots[place] } else { yield nil }
        }
        _modify {
            if let place = places[number] {
                yield &slots[place]
                if slots[place] == nil { forget(number, at: place) }
            } else {
                var made: NumberLane?
                yield &made
                if let made { insert(made, number) }
            }
        }
    }

    mutating func removeAll(where isGone: (NumberLane) -> Bool) {
        for (number, place) in places where slots[place].map(isGone) ?? true {
            slots[place] = nil
            forget(number, at: place)
        }
    }

    private mutating func insert(_ lane: NumberLane, _ number: String) {
        let place = vacant.popLast() ?? slots.count
        if place == slots.count { slots.append(lane) } else { slots[place] = lane }
        places[number] = place
    }

    private mutating func forget(_ number: String, at place: Int) {
        places[number] = nil
        vacant.append(place)
    }
}
