import EventLog
import NIOCore

/// Deliveries of one turn of an event loop, handed to the log together at its end.
///
/// Splitting takes longer than handing over. One by one, the log's thread would be woken for each delivery and would
/// send it alone; together they make few wake-ups and large batches. The turn's end is microseconds away, so nobody
/// waits for it. Lives on its event loop alone.
final class Outbox {
    /// Nil when all records are durable.
    typealias Completion = @Sendable (LogError?) -> Void

    private let producer: any Producer
    private let loop: NIOIsolatedEventLoop
    private struct Delivery {
        let records: [Record]
        let completion: Completion
    }

    private var deliveries: [Delivery] = []
    /// The array of the turn before, for its capacity.
    private var spare: [Delivery] = []

    /// On the loop that it is for.
    init(_ producer: any Producer, on loop: any EventLoop) {
        self.producer = producer
        self.loop = loop.assumeIsolated()
    }

    func send(_ records: [Record], completion: @escaping Completion) {
        deliveries.append(Delivery(records: records, completion: completion))
        if deliveries.count == 1 { loop.execute { self.flush() } }
    }

    private func flush() {
        // Completions may run at once and send more: that is the next turn's.
        swap(&deliveries, &spare)
        for index in spare.indices { producer.write(spare[index].records, completion: spare[index].completion) }
        spare.removeAll(keepingCapacity: true)
    }
}
