import CRdKafka
import EventLog

/// A `rd_kafka_t`. Whoever holds the object may call the library with `handle`, from any thread: librdkafka locks
/// for itself. That is why it may cross threads.
///
/// Destroying waits for the library's threads, so it has a thread of its own.
final class RDKafkaClient: @unchecked Sendable {
    let handle: OpaquePointer
    private let context: Unmanaged<RDKafkaContext>

    init(handle: OpaquePointer, context: Unmanaged<RDKafkaContext>) {
        self.handle = handle
        self.context = context
    }

    deinit {
        // Owned by the new thread from here on: this object is gone.
        nonisolated(unsafe) let handle = handle
        let context = context
        BlockingThread.start("kafka-destroy") {
            rd_kafka_destroy_flags(handle, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE)
            context.release()
        }
    }

    /// Whether there is a `fatalError`.
    var isDead: Bool { rd_kafka_fatal_error(handle, nil, 0) != RD_KAFKA_RESP_ERR_NO_ERROR }

    /// The error that makes this client useless for good, if there is one.
    var fatalError: (code: rd_kafka_resp_err_t, reason: String)? {
        guard isDead else { return nil }
        var reason = [CChar](repeating: 0, count: 512)
        let code = rd_kafka_fatal_error(handle, &reason, reason.count)
        return (code, String(decoding: reason.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
    }
}

/// A `rd_kafka_queue_t` of a client, which it keeps alive. Any thread may poll or wake it: librdkafka locks for itself.
final class RDKafkaQueue: @unchecked Sendable {
    let pointer: OpaquePointer
    private let client: RDKafkaClient

    init(_ pointer: OpaquePointer, of client: RDKafkaClient) {
        self.pointer = pointer
        self.client = client
    }

    /// A queue of its own.
    convenience init(of client: RDKafkaClient) {
        self.init(rd_kafka_queue_new(client.handle), of: client)
    }

    deinit { rd_kafka_queue_destroy(pointer) }

    /// Ends the poll that is under way, or else the next one.
    func wake() { rd_kafka_queue_yield(pointer) }
}
