import EventLog
import Logging

/// How Millrace uses a Kafka cluster. The defaults are right for three or more brokers.
public struct KafkaLogConfiguration: Sendable {
    /// librdkafka's own properties, applied over Millrace's: SASL, TLS, time-outs, sizes.
    ///
    /// Names and values are in librdkafka's CONFIGURATION.md. Those that the log's behaviour hangs on
    /// (`RDKafkaSettings.reserved`) are refused.
    public var properties: [String: String] = [:]
    /// Replicas of topics created through this log. `min.insync.replicas` is 2, or 1 with a single replica.
    public var replicationFactor: Int = 3
    /// Bound on records handed to the producer and not yet acknowledged; beyond it `.queueFull`.
    public var maxQueuedRecords: Int = 100_000
    /// Bound on bytes handed to the producer and not yet acknowledged; beyond it `.queueFull`.
    public var maxQueuedBytes: Int = 256 << 20
    /// Largest key + value + headers the producer takes; beyond it `.recordTooLarge`. `message.max.bytes` among the
    /// properties replaces it.
    public var maxRecordBytes: Int = 8 << 20
    /// How long revoked partitions stay ours while work in flight is finished and committed; then they are `.lost`.
    /// Keep it below the session time-out: the group waits meanwhile.
    public var revocationGrace: Duration = .seconds(8)
    /// How long a commit is tried again while the coordinator is away; then `.unavailable`.
    public var commitTimeout: Duration = .seconds(30)
    /// Bound on one request of `admin` or `reader()`; then `.unavailable`.
    public var requestTimeout: Duration = .seconds(10)
    /// Bound on `close()`: what is not acknowledged by then fails with `.notDurable`.
    public var closeTimeout: Duration = .seconds(5)
    public var logger = Logger(label: "millrace.kafka")

    public init() {}
}
