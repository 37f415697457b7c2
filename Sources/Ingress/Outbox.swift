import EventLog
import NIOCore

/// Deliveries of one turn of an event loop, handed to the log together at its end.
///
/// Splitting takes longer than handing over. One by one, the log's thread would be woken for each delivery and would
/// send it alone; together they make few wake-ups and large batches. The turn's end is microseconds away, so nobody
/// waits for it. Lives on its event loop alone.
final class Outbox {
    typealias Completion = @Sendable (Result<[RecordPosition], LogError>) -> Void

    private let producer: any Producer
    private var deliveries: [(records: [Record], completion: Completion)] = []
    /// The array of the turn before, for its capacity.
    private var spare: [(records: [Record], completion: Completion)] = []

    init(_ producer: any Producer) { self.producer = producer }

    func send(_ records: [Record], on loop: any EventLoop, completion: @escaping Completion) {
        deliveries.append((records, completion))
        if deliveries.count == 1 { loop.assumeIsolated().execute { self.flush() } }
    }

    private func flush() {
        // Completions may run at once and send more: that is the next turn's.
        swap(&deliveries, &spare)
        for delivery in spare { producer.send(delivery.records, completion: delivery.completion) }
        spare.removeAll(keepingCapacity: true)
    }
}
