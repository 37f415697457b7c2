import CRdKafka
import EventLog
import Foundation

/// Offsets asked of the brokers. Calls block, at most for the time given.
///
/// `rd_kafka_query_watermark_offsets` is not used: in 2.0.2 it ignores its time-out while the leader is away.
extension RDKafkaClient {
    /// What the partitions hold now.
    func watermarks(
        of partitions: [TopicPartition], within timeout: Duration
    ) throws(LogError) -> [TopicPartition: Watermarks] {
        let low = try offsets(of: partitions, at: Int64(RD_KAFKA_OFFSET_BEGINNING), within: timeout)
        let high = try offsets(of: partitions, at: Int64(RD_KAFKA_OFFSET_END), within: timeout)
        return low.reduce(into: [:]) { all, entry in
            all[entry.key] = Watermarks(low: entry.value, high: high[entry.key] ?? entry.value)
        }
    }

    /// First offset not older than `time`, -1 where there is none. One request per broker, whatever the number of
    /// partitions. `time` may be -2 (the begin) or -1 (the end): the library hands them on, as Kafka's protocol has it.
    func offsets(
        of partitions: [TopicPartition], at time: Int64, within timeout: Duration
    ) throws(LogError) -> [TopicPartition: Offset] {
        let deadline = ContinuousClock.now + timeout
        while true {
            do throws(LogError) {
                return try askOffsets(of: partitions, at: time, within: max(.milliseconds(1), deadline - .now))
            } catch {
                // A leader has moved or is being chosen; the library asks for it meanwhile.
                guard error.code == .unavailable, ContinuousClock.now + Self.pause < deadline else { throw error }
                Thread.sleep(forTimeInterval: 0.1)
            }
        }
    }

    private static let pause = Duration.milliseconds(100)

    private func askOffsets(
        of partitions: [TopicPartition], at time: Int64, within timeout: Duration
    ) throws(LogError) -> [TopicPartition: Offset] {
        let list = RDKafkaPartitionList(at: Dictionary(partitions.map { ($0, time) }) { first, _ in first })
        let code = rd_kafka_offsets_for_times(handle, list.pointer, Int32(timeout.milliseconds))
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw code.error("offsets") }
        var offsets: [TopicPartition: Offset] = [:]
        var failure: LogError?
        list.forEach { element in
            offsets[element.topicPartition] = element.offset
            if element.err != RD_KAFKA_RESP_ERR_NO_ERROR {
                failure = element.err.error("offset of \(element.topicPartition)")
            }
        }
        if let failure { throw failure }
        return offsets
    }
}
