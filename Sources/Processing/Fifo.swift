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

    mutating func popFirst() -> Element? {
        guard !isEmpty else { return nil }
        let element = slots[head].take()
        head += 1
        if head >= 64, head * 2 >= slots.count {
            slots.removeFirst(head)
            head = 0
        }
        return element
    }
}
