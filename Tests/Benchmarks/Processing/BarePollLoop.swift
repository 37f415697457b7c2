import CRdKafka
import Foundation

/// `rd_kafka_consumer_poll` as librdkafka's own examples use it, with its defaults: all partitions assigned from their
/// beginning, each message looked at and freed. What any consumer on librdkafka pays at least.
enum BarePollLoop {
    /// Messages per second, from the first one to the last. Blocks.
    static func rate(bootstrap: String, topic: String, partitions: Int32, count: Int) throws -> Double {
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
        var taken = 0
        var began = ContinuousClock.now
        while taken < count {
            guard let message = rd_kafka_consumer_poll(client, 10_000) else { throw BenchError("the topic ran dry") }
            defer { rd_kafka_message_destroy(message) }
            if message.pointee.err != RD_KAFKA_RESP_ERR_NO_ERROR { continue }
            if taken == 0 { began = .now }
            taken += 1
        }
        return Double(count) / ((ContinuousClock.now - began) / .seconds(1))
    }
}
