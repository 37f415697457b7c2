import CRdKafka
import EventLog
import Synchronization

/// Messages of one partition that were fetched together: the contents of their records, where the library has put them,
/// for as long as somebody holds one of the records.
///
/// librdkafka changes nothing of a message that it has handed out, so any thread may read it; only its headers are taken
/// apart at the first look, which `unpacked` guards. The last holder, on whatever thread, gives all back.
final class RDKafkaMessages: RecordContent, @unchecked Sendable {
    typealias Message = UnsafeMutablePointer<rd_kafka_message_t>

    private let messages: [Message]
    private let loan: Loan
    /// As many as messages once one is known.
    private let unpacked = Mutex<[Headers?]>([])

    /// Takes the messages over.
    init(_ messages: [Message], on loan: Loan) {
        self.messages = messages
        self.loan = loan
    }

    deinit {
        for message in messages { rd_kafka_message_destroy(message) }
    }

    var source: TopicPartition { loan.source }
    func key(at index: Int) -> [UInt8]? { RDKafkaRecord.key(of: messages[index]) }
    func keyHash(at index: Int) -> UInt32 { RDKafkaRecord.keyHash(of: messages[index]) }
    func value(at index: Int) -> [UInt8]? { RDKafkaRecord.value(of: messages[index]) }
    func headers(at index: Int) -> Headers {
        unpacked.withLock { unpacked in
            if unpacked.isEmpty { unpacked = Array(repeating: nil, count: messages.count) }
            if let headers = unpacked[index] { return headers }
            let headers = RDKafkaRecord.headers(of: messages[index])
            unpacked[index] = headers
            return headers
        }
    }
}
