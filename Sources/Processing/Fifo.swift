/// A queue with cheap ends: elements leave at the front without moving the others.
struct Fifo<Element: Sendable>: Sendable {
    /// Nil below `head`, so that what left is freed at once.
    private var slots: [Element?] = []
    private var head = 0

    mutating func append(_ element: Element) { slots.append(element) }

    /// Puts elements before all others, in their order.
    mutating func prepend(_ elements: [Element]) {
        slots.replaceSubrange(0..<head, with: elements.map(Optional.init))
        head = 0
    }

    mutating func popFirst() -> Element? {
        guard !isEmpty else { return nil }
        let element = slots[head].take()
        head += 1
        dropTaken()
        return element
    }

    private mutating func dropTaken() {
        guard head >= 64, head * 2 >= slots.count else { return }
        slots.removeFirst(head)
        head = 0
    }
}

extension Fifo: RandomAccessCollection, MutableCollection {
    var startIndex: Int { 0 }
    var endIndex: Int { slots.count - head }
    var first: Element? { isEmpty ? nil : slots[head] }

    subscript(index: Int) -> Element {
        get { slots[head + index]! }
        set { slots[head + index] = newValue }
    }
}

extension RandomAccessCollection where Index == Int {
    /// Index of the first element that `isBehind`, all later ones being so too, by bisection.
    func partitioningIndex(where isBehind: (Element) -> Bool) -> Int {
        var low = startIndex
        var high = endIndex
        while low < high {
            let middle = (low + high) / 2
            if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
        }
        return low
    }
}
