import CRdKafka
import EventLog

/// What a group has stored, read and set from outside: by a consumer of the group that never joins it.
///
/// The admin requests for the same (`ListConsumerGroupOffsets`, `AlterConsumerGroupOffsets`) are not used: in librdkafka
/// 2.0.2 they abort the process, or wait for their whole time-out, when the coordinator is not available just then, as
/// with the first group of a new cluster, or while a broker is down.
struct GroupOffsets {
    private let group: String
    private let client: RDKafkaClient

    /// Blocks for a moment.
    init(of group: String, settings: RDKafkaSettings) throws(LogError) {
        self.group = group
        client = try RDKafkaConfiguration(
            settings.outsider(of: group), properties: settings.configuration.properties,
            context: RDKafkaContext(logger: settings.configuration.logger)
        ).makeClient(RD_KAFKA_CONSUMER)
    }

    func read(_ partitions: [TopicPartition], within timeout: Duration) throws(LogError) -> [TopicPartition: Commit] {
        let list = RDKafkaPartitionList(Set(partitions))
        let code = rd_kafka_committed(client.handle, list.pointer, Int32(timeout.milliseconds))
        try check(code, list.pointer, "commits of \(group)")
        return RDKafkaPartitionList.commits(in: list.pointer)
    }

    /// `.groupActive` while the group has members: the coordinator takes commits from outside only without any.
    func set(_ commits: [TopicPartition: Commit], within timeout: Duration) throws(LogError) {
        let list = RDKafkaPartitionList(commits)
        let answers = RDKafkaQueue(of: client)
        let what = "set commits of \(group)"
        let code = rd_kafka_commit_queue(client.handle, list.pointer, answers.pointer, nil, nil)
        try check(code, list.pointer, what)
        guard let event = rd_kafka_queue_poll(answers.pointer, Int32(timeout.milliseconds)) else {
            throw LogError(.unavailable, "\(what): no answer")
        }
        defer { rd_kafka_event_destroy(event) }
        do throws(LogError) {
            try check(rd_kafka_event_error(event), rd_kafka_event_topic_partition_list(event), what)
        } catch where error.code == .fenced {
            throw LogError(.groupActive, group)
        }
    }

    private func check(
        _ code: rd_kafka_resp_err_t, _ list: UnsafePointer<rd_kafka_topic_partition_list_t>?, _ what: String
    ) throws(LogError) {
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw code.error(what) }
        var failure: LogError?
        if let list {
            RDKafkaPartitionList.forEach(in: list) { element in
                if element.err != RD_KAFKA_RESP_ERR_NO_ERROR { failure = element.err.error(what) }
            }
        }
        if let failure { throw failure }
    }
}
