import CRdKafka
import EventLog

extension rd_kafka_resp_err_t {
    /// librdkafka's name of the code, e.g. `ILLEGAL_GENERATION`.
    var name: String { String(cString: rd_kafka_err2name(self)) }

    /// The log's word for it; `.unavailable` for all that passes by itself.
    var logCode: LogError.Code {
        switch self {
        case RD_KAFKA_RESP_ERR__QUEUE_FULL: .queueFull
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, RD_KAFKA_RESP_ERR_RECORD_LIST_TOO_LARGE: .recordTooLarge
        case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
            RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
            .unknownTopic
        case RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION: .invalidTopic
        case RD_KAFKA_RESP_ERR_ILLEGAL_GENERATION, RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
            RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID, RD_KAFKA_RESP_ERR__ASSIGNMENT_LOST:
            .fenced
        case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET: .offsetOutOfRange
        case RD_KAFKA_RESP_ERR_OFFSET_METADATA_TOO_LARGE: .metadataTooLarge
        case RD_KAFKA_RESP_ERR_NON_EMPTY_GROUP, RD_KAFKA_RESP_ERR_GROUP_SUBSCRIBED_TO_TOPIC: .groupActive
        case RD_KAFKA_RESP_ERR__UNSUPPORTED_FEATURE, RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION,
            RD_KAFKA_RESP_ERR_INVALID_RECORD:
            .unsupported
        case RD_KAFKA_RESP_ERR__DESTROY: .closed
        case RD_KAFKA_RESP_ERR__FATAL: .fatal
        case RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR: .storage
        default: isRefusal ? .invalidConfiguration : .unavailable
        }
    }

    /// The cluster says no to what was asked, and will say so again.
    private var isRefusal: Bool {
        switch self {
        case RD_KAFKA_RESP_ERR__INVALID_ARG, RD_KAFKA_RESP_ERR_INVALID_CONFIG, RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
            RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR, RD_KAFKA_RESP_ERR_INVALID_PARTITIONS,
            RD_KAFKA_RESP_ERR_INVALID_GROUP_ID, RD_KAFKA_RESP_ERR_INCONSISTENT_GROUP_PROTOCOL,
            RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
            RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED, RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED,
            RD_KAFKA_RESP_ERR__AUTHENTICATION:
            true
        default: false
        }
    }

    func error(_ what: String) -> LogError { LogError(logCode, "\(what): \(name)") }

    /// For records: whatever is no refusal for good means that they are not on the log and may be sent again.
    func produceError(_ what: String) -> LogError {
        switch logCode {
        case .queueFull, .recordTooLarge, .unknownTopic, .invalidTopic, .invalidConfiguration, .unsupported: error(what)
        default: LogError(.notDurable, "\(what): \(name)")
        }
    }
}

/// Takes a `rd_kafka_error_t` that a call answered, and frees it. Nil means success.
func takeError(_ error: OpaquePointer?) -> rd_kafka_resp_err_t? {
    guard let error else { return nil }
    defer { rd_kafka_error_destroy(error) }
    return rd_kafka_error_code(error)
}
