import CRdKafka
import EventLog
import Logging
import Synchronization

/// What a client's C callbacks reach: a logger, and an inbox that the polling thread empties after each poll.
///
/// Retained once for the client (`rd_kafka_conf_set_opaque` has one slot), released after the client is destroyed.
final class RDKafkaContext: Sendable {
    /// What a callback has to say, in Swift's types.
    enum Notice: Sendable {
        case assigned([TopicPartition])
        case revoked([TopicPartition], lost: Bool)
        case committed(rd_kafka_resp_err_t, failures: [TopicPartition: rd_kafka_resp_err_t])
    }

    let logger: Logger
    private let inbox = Mutex<[Notice]>([])
    private let kept = Mutex<[any AnyObject & Sendable]>([])

    init(logger: Logger) { self.logger = logger }

    /// Keeps what C callbacks are called with for as long as there may be any.
    func keep(_ object: any AnyObject & Sendable) { kept.withLock { $0.append(object) } }

    func post(_ notice: Notice) { inbox.withLock { $0.append(notice) } }

    func takeNotices() -> [Notice] {
        inbox.withLock { notices in
            defer { notices = [] }
            return notices
        }
    }

    fileprivate static func of(_ opaque: UnsafeMutableRawPointer?) -> RDKafkaContext? {
        opaque.map { Unmanaged<RDKafkaContext>.fromOpaque($0).takeUnretainedValue() }
    }
}

/// Runs on any thread of librdkafka.
func logCallback(
    _ client: OpaquePointer?, _ level: Int32, _ facility: UnsafePointer<CChar>?, _ text: UnsafePointer<CChar>?
) {
    guard let client, let context = RDKafkaContext.of(rd_kafka_opaque(client)) else { return }
    let facility = facility.map { String(cString: $0) } ?? ""
    let ours: Logger.Level =
        switch level {
        // The user's properties are for clients of every kind, and each says at its start which it has no use for.
        case _ where facility == "CONFWARN": .debug
        case ...3: .warning
        case 4: .notice
        case 5, 6: .info
        default: .debug
        }
    context.logger.log(
        level: ours, "librdkafka",
        metadata: [
            "kafka.facility": "\(facility)",
            "kafka.text": "\(text.map { String(cString: $0) } ?? "")",
        ])
}

/// Runs inside `rd_kafka_consumer_poll`, on the consumer's thread. Ends that poll, so that its loop acts at once.
func rebalanceCallback(
    _ client: OpaquePointer?, _ code: rd_kafka_resp_err_t,
    _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?, _ opaque: UnsafeMutableRawPointer?
) {
    guard let client, let context = RDKafkaContext.of(opaque) else { return }
    let partitions = list.map { RDKafkaPartitionList.partitions(in: $0) } ?? []
    if code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS {
        context.post(.assigned(partitions))
    } else {
        context.post(.revoked(partitions, lost: rd_kafka_assignment_lost(client) != 0))
    }
    rd_kafka_yield(client)
}

/// Runs inside `rd_kafka_queue_poll_callback`, on the consumer's thread.
func commitCallback(
    _ client: OpaquePointer?, _ code: rd_kafka_resp_err_t,
    _ list: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?, _: UnsafeMutableRawPointer?
) {
    guard let client, let context = RDKafkaContext.of(rd_kafka_opaque(client)) else { return }
    var failures: [TopicPartition: rd_kafka_resp_err_t] = [:]
    if let list {
        RDKafkaPartitionList.forEach(in: list) { element in
            if element.err != RD_KAFKA_RESP_ERR_NO_ERROR { failures[element.topicPartition] = element.err }
        }
    }
    context.post(.committed(code, failures: failures))
    rd_kafka_yield(client)
}
