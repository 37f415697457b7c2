import CRdKafka
import Foundation

/// `rd_kafka_consumer_poll` as librdkafka's own examples use it, with its defaults: all partitions assigned from their
/// beginning, each message looked at and freed. What any consumer on librdkafka pays at least.
enum BarePollLoop {
    /// Messages per second, from the first one to the last. Blocks.
    ///
    /// - Parameter copies: whether key, value and headers are copied out of each message, as for a caller that keeps them.
    static func rate(
        bootstrap: String, topic: String, partitions: Int32, count: Int, copies: Bool = false
    ) throws -> Double {
        let configuration = rd_kafka_conf_new()
        for (name, value) in [
            "bootstrap.servers": bootstrap, "group.id": "bench-bare", "enable.auto.commit": "false",
        ] where rd_kafka_conf_set(configuration, name, value, nil, 0) != RD_KAFKA_CONF_OK {
            throw BenchError("librdkafka does not take \(name)")
        }
        guard let client = rd_kafka_new(RD_KAFKA_CONSUMER, configuration, nil, 0) else {
            throw BenchError("librdkafka makes no consumer")
        }
        defer { rd_kafka_destroy(client) }
        rd_kafka_poll_set_consumer(client)
        let list = rd_kafka_topic_partition_list_new(partitions)
        defer { rd_kafka_topic_partition_list_destroy(list) }
        for partition in 0..<partitions {
            rd_kafka_topic_partition_list_add(list, topic, partition).pointee.offset = Int64(RD_KAFKA_OFFSET_BEGINNING)
        }
        rd_kafka_assign(client, list)
        var (taken, bytes) = (0, 0)
        var began = ContinuousClock.now
        while taken < count {
            guard let message = rd_kafka_consumer_poll(client, 10_000) else { throw BenchError("the topic ran dry") }
            defer { rd_kafka_message_destroy(message) }
            if message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR { continue }
            if taken == 0 { began = .now }
            if copies { bytes += copy(message) }
            taken += 1
        }
        let time = ContinuousClock.now - began
        if copies, bytes == 0 { throw BenchError("the messages are empty") }
        return Double(count) / (time / .seconds(1))
    }

    /// Bytes copied.
    private static func copy(_ message: UnsafeMutablePointer<rd_kafka_message_t>) -> Int {
        func array(_ start: UnsafeRawPointer?, _ count: Int) -> [UInt8] {
            Array(UnsafeRawBufferPointer(start: start, count: count))
        }
        let content = [
            array(message.pointee.key, message.pointee.key_len), array(message.pointee.payload, message.pointee.len),
        ]
        var (list, name, value, size): (OpaquePointer?, UnsafePointer<CChar>?, UnsafeRawPointer?, Int) = (nil, nil, nil, 0)
        var headers: [UInt8] = []
        headers.reserveCapacity(512)
        var index = 0
        if rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR {
            while rd_kafka_header_get_all(list, index, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
                headers += UnsafeRawBufferPointer(start: name, count: name.map { strlen($0) } ?? 0)
                headers += UnsafeRawBufferPointer(start: value, count: size)
                index += 1
            }
        }
        return content.reduce(headers.count) { $0 + $1.count }
    }
}
