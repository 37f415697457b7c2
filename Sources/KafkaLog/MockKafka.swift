import CRdKafka
import EventLog
import Logging

/// **For tests.** librdkafka's mock cluster: brokers in this process that any client can reach over TCP, also from
/// other processes.
///
/// It is not Kafka: a partition keeps 5 MB or 100,000 records; topics are created by being asked about, with 4
/// partitions; there is no CreateTopics, no compaction, no listing of groups; OffsetsForTimes answers "end"; a group
/// that has had members takes no commits from outside, and no member's commits while it rebalances; a rebalance waits
/// for the session time-out less a second, the first one for 3 s. A member whose session time-out is not above those
/// 3 s may be thrown out while it waits, and is then never answered: use 4 s.
///
/// The cluster and its client are used through librdkafka's own locks, which is why the object may cross threads.
public final class MockKafka: @unchecked Sendable {
    /// Requests whose answers can be made to fail; raw values are Kafka's API keys.
    public enum Request: Int16, Sendable {
        case produce = 0, fetch = 1, listOffsets = 2, metadata = 3, offsetCommit = 8, offsetFetch = 9
        case findCoordinator = 10, joinGroup = 11, heartbeat = 12, syncGroup = 14, initProducerID = 22
    }

    /// Errors a broker can answer with; raw values are Kafka's error codes.
    public enum BrokerError: Int32, Sendable {
        case unknownTopicOrPartition = 3, notLeader = 6, requestTimedOut = 7, messageTooLarge = 10
        case coordinatorLoading = 14, coordinatorNotAvailable = 15, notCoordinator = 16, notEnoughReplicas = 19
        case illegalGeneration = 22, unknownMember = 25, rebalanceInProgress = 27, clusterAuthorizationFailed = 31
        case outOfOrderSequence = 45
    }

    private let client: RDKafkaClient
    private let cluster: OpaquePointer
    /// Broker ids, from 1.
    public let brokers: ClosedRange<Int32>
    /// `host:port,…`, for `KafkaLog.open` and `MILLRACE_LOG=kafka://…`.
    public let bootstrap: String

    /// Starts the brokers. Blocks for a moment.
    public init(brokers count: Int32 = 3) throws(LogError) {
        let silent = Logger(label: "millrace.kafka.mock") { _ in SwiftLogNoOpLogHandler() }
        let context = RDKafkaContext(logger: silent)
        client = try RDKafkaConfiguration([:], properties: [:], context: context).makeClient(RD_KAFKA_PRODUCER)
        guard let made = rd_kafka_mock_cluster_new(client.handle, count) else {
            throw LogError(.fatal, "mock cluster")
        }
        cluster = made
        brokers = 1...count
        bootstrap = String(cString: rd_kafka_mock_cluster_bootstraps(made))
    }

    deinit {
        // Owned by the new thread from here on: this object is gone. The brokers end before their client does.
        nonisolated(unsafe) let cluster = cluster
        let client = client
        BlockingThread.start("kafka-destroy") {
            withExtendedLifetime(client) { rd_kafka_mock_cluster_destroy(cluster) }
        }
    }

    /// Makes a topic. Needed before `createTopics` of any count but 4.
    public func createTopic(_ topic: Topic, partitions: Int32, replicas: Int32 = 1) throws(LogError) {
        try check(rd_kafka_mock_topic_create(cluster, topic.name, partitions, replicas), "create \(topic)")
    }

    /// What a topic's metadata says from now on: nil for the truth.
    public func setError(_ error: BrokerError?, of topic: Topic) {
        rd_kafka_mock_topic_set_error(cluster, topic.name, rd_kafka_resp_err_t(error?.rawValue ?? 0))
    }

    /// Connections break and are refused until `setUp`. Leaders stay where they are.
    public func setDown(_ broker: Int32) throws(LogError) {
        try check(rd_kafka_mock_broker_set_down(cluster, broker), "broker down")
    }

    public func setUp(_ broker: Int32) throws(LogError) {
        try check(rd_kafka_mock_broker_set_up(cluster, broker), "broker up")
    }

    public func setLeader(_ broker: Int32, of partition: TopicPartition) throws(LogError) {
        try check(
            rd_kafka_mock_partition_set_leader(cluster, partition.topic.name, partition.partition, broker), "leader")
    }

    public func setCoordinator(_ broker: Int32, of group: String) throws(LogError) {
        try check(rd_kafka_mock_coordinator_set(cluster, "group", group, broker), "coordinator")
    }

    /// Delay of every answer of a broker.
    public func setRoundTrip(_ time: Duration, of broker: Int32) throws(LogError) {
        try check(rd_kafka_mock_broker_set_rtt(cluster, broker, Int32(time.milliseconds)), "round trip")
    }

    /// The next answers to requests of this kind, from any broker, carry these errors, one each.
    public func fail(_ request: Request, with errors: [BrokerError]) {
        let codes = errors.map { rd_kafka_resp_err_t($0.rawValue) }
        rd_kafka_mock_push_request_errors_array(cluster, request.rawValue, codes.count, codes)
    }

    /// Takes back what `fail` has left.
    public func stopFailing(_ request: Request) {
        rd_kafka_mock_clear_request_errors(cluster, request.rawValue)
    }

    private func check(_ code: rd_kafka_resp_err_t, _ what: String) throws(LogError) {
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw code.error("mock: \(what)") }
    }
}
