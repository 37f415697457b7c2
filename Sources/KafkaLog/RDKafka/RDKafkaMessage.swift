import CRdKafka
import EventLog
import Foundation
import Synchronization

/// A fetched message: the content of a record, where the library has put it, for as long as somebody holds the record.
///
/// librdkafka changes nothing of a message that it has handed out, so any thread may read it; only its headers are taken
/// apart at the first look, which `unpacked` guards. The last holder, on whatever thread, gives it back.
final class RDKafkaMessage: RecordContent, @unchecked Sendable {
    private let message: UnsafeMutablePointer<rd_kafka_message_t>
    private let loan: Loan
    private let unpacked = Mutex<Headers?>(nil)
    let byteCount: Int

    /// Takes the message over.
    init(_ message: UnsafeMutablePointer<rd_kafka_message_t>, on loan: Loan) {
        self.message = message
        self.loan = loan
        byteCount = RDKafkaRecord.byteCount(of: message)
    }

    deinit { rd_kafka_message_destroy(message) }

    var source: TopicPartition { loan.source }
    var key: [UInt8]? { RDKafkaRecord.key(of: message) }
    var keyHash: UInt32 { RDKafkaRecord.keyHash(of: message) }
    var value: [UInt8]? { RDKafkaRecord.value(of: message) }
    var headers: Headers {
        unpacked.withLock { unpacked in
            if let unpacked { return unpacked }
            let headers = RDKafkaRecord.headers(of: message)
            unpacked = headers
            return headers
        }
    }
}
