import EventLog

/// Deliveries by the time they are due, a bounded number of calls at once, and the room that is left.
///
/// Pure: it is told the time and never calls anything.
struct DeliveryQueue: Sendable {
    private struct Entry: Sendable {
        let due: Timestamp
        /// Deliveries due in the same millisecond keep their order.
        let sequence: UInt64
        let delivery: Delivery

        static func < (a: Entry, b: Entry) -> Bool {
            a.due == b.due ? a.sequence < b.sequence : a.due < b.due
        }
    }

    let concurrency: Int
    let limit: Int
    /// Calls under way.
    private(set) var underWay = 0
    /// Events promised and not ended: waiting, under way or planned.
    private(set) var open = 0
    private var heap: [Entry] = []
    private var sequence: UInt64 = 0

    init(concurrency: Int, limit: Int) {
        precondition(concurrency > 0 && limit > 0, "the queue's bounds are positive")
        self.concurrency = concurrency
        self.limit = limit
    }

    /// Takes room for events that will be added, now or later. False, and nothing taken, when there is none.
    mutating func reserve(_ events: Int) -> Bool {
        guard open + events <= limit else { return false }
        open += events
        return true
    }

    /// Adds an event that has its room already.
    mutating func add(_ delivery: Delivery, due: Timestamp) {
        sequence += 1
        heap.append(Entry(due: due, sequence: sequence, delivery: delivery))
        siftUp(heap.count - 1)
    }

    /// What is to be called now. Each must come back through `ended` or `failed`.
    mutating func start(at now: Timestamp) -> [Delivery] {
        var started: [Delivery] = []
        while underWay < concurrency, let first = heap.first, first.due <= now {
            started.append(first.delivery)
            started[started.count - 1].attempts += 1
            removeFirst()
            underWay += 1
        }
        return started
    }

    /// A call ended; its event needs no other one.
    mutating func ended() {
        underWay -= 1
        open -= 1
        assert(underWay >= 0 && open >= underWay, "every call ends once")
    }

    /// A call ended without the answer it needs; the event is called again.
    mutating func failed(_ delivery: Delivery, again due: Timestamp) {
        underWay -= 1
        add(delivery, due: due)
    }

    private mutating func removeFirst() {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && heap[child] < heap[least] {
                least = child
            }
            guard least != parent else { return }
            heap.swapAt(parent, least)
            parent = least
        }
    }

    private mutating func siftUp(_ index: Int) {
        var child = index
        while child > 0, heap[child] < heap[(child - 1) / 2] {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }
}
