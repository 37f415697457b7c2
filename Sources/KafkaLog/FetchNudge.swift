import CRdKafka
import Dispatch
import EventLog
import Synchronization

/// Keeps librdkafka fetching while there is something to fetch.
///
/// When what it has fetched ahead reaches `queued.max.messages.kbytes`, the broker threads of 2.0.2 go to sleep for up to
/// a second and do not notice that the queue is drained meanwhile: a consumer with a backlog then gets that many
/// kilobytes a second. Any request to a broker wakes its thread, which then looks at the queue; so one that costs next to
/// nothing is made when half of what lay there has been taken.
final class FetchNudge: Sendable {
    private let client: RDKafkaClient
    private let requests = DispatchQueue(label: "kafka-nudge")
    private let isUnderWay = Atomic(false)

    /// Fewer messages than this are no backlog.
    private static let leastQueued = 500
    private static let timeout = Duration.seconds(1)

    init(_ client: RDKafkaClient) { self.client = client }

    /// To be called after each round of polling, with what lies in the queue. `peak` is the caller's memory.
    func look(_ queued: Int, _ peak: inout Int, _ partitions: some Collection<TopicPartition>) {
        peak = max(peak, queued)
        guard peak >= Self.leastQueued, queued <= peak / 2 else { return }
        peak = queued
        if partitions.isEmpty || isUnderWay.exchange(true, ordering: .relaxed) { return }
        let partitions = Array(partitions)
        // A thread of its own: the answer may take as long as a broker takes.
        requests.async { [self] in
            _ = try? client.offsets(of: partitions, at: Int64(RD_KAFKA_OFFSET_END), within: Self.timeout)
            isUnderWay.store(false, ordering: .relaxed)
        }
    }
}
