/// A queue with cheap ends: elements leave at the front without moving the others.
struct Fifo<Element: Sendable>: Sendable {
    /// Nil below `head`, so that what left is freed at once.
    private var slots: [Element?] = []
    private var head = 0

    var count: Int { slots.count - head }
    var isEmpty: Bool { head == slots.count }
    var first: Element? { isEmpty ? nil : slots[head] }

    subscript(index: Int) -> Element {
        get { slots[head + index]! }
        set { slots[head + index] = newValue }
    }

    mutating func append(_ element: Element) { slots.append(element) }

    /// Puts elements before all others, in their order.
    mutating func prepend(_ elements: [Element]) {
        slots.replaceSubrange(0..<head, with: elements.map(Optional.init))
        head = 0
    }

    mutating func append(contentsOf elements: [Element]) { slots += elements.lazy.map(Optional.init) }

    /// Takes elements from the front: up to `most`, and while they suit.
    mutating func popFirst(upTo most: Int, while suits: (Element) -> Bool) -> [Element] {
        var taken: [Element] = []
        taken.reserveCapacity(min(most, count))
        while taken.count < most, head < slots.count, suits(slots[head]!) {
            taken.append(slots[head].take()!)
            head += 1
        }
        dropTaken()
        return taken
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
