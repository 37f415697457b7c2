import CRdKafka
import EventLog

/// The answer to one admin request: a `rd_kafka_event_t`, read and freed by the thread that asked.
final class RDKafkaAdminEvent {
    let pointer: OpaquePointer

    /// Asks, and blocks until the answer is there. Throws what failed as a whole; results may hold errors of their own.
    init(
        _ operation: rd_kafka_admin_op_t, with client: RDKafkaClient, timeout: Duration, _ what: String,
        ask: (_ options: OpaquePointer?, _ answers: OpaquePointer) -> Void
    ) throws(LogError) {
        let answers = RDKafkaQueue(of: client)
        let options = rd_kafka_AdminOptions_new(client.handle, operation)
        defer { rd_kafka_AdminOptions_destroy(options) }
        let milliseconds = Int32(timeout.milliseconds)
        rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, nil, 0)
        if operation == RD_KAFKA_ADMIN_OP_CREATETOPICS {
            // Wait until the controller has made them, not only noted them.
            rd_kafka_AdminOptions_set_operation_timeout(options, milliseconds, nil, 0)
        }
        ask(options, answers.pointer)
        // The request ends by its own time-out; the margin is for its answer.
        guard let event = rd_kafka_queue_poll(answers.pointer, milliseconds + 5_000) else {
            throw LogError(.unavailable, "\(what): no answer")
        }
        pointer = event
        let code = rd_kafka_event_error(event)
        if code != RD_KAFKA_RESP_ERR_NO_ERROR { throw code.error(what) }
    }

    deinit { rd_kafka_event_destroy(pointer) }
}
