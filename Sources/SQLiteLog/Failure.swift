import EventLog
import Foundation
import GRDB

extension LogError {
    /// SQLite's word for what happened. Its messages name tables and files, never values.
    init(_ error: any Error) {
        switch error {
        case let error as LogError:
            self = error
        case let error as DatabaseError:
            let detail = "SQLite \(error.extendedResultCode.rawValue): \(error.message ?? "no message")"
            switch error.resultCode {
            case .SQLITE_BUSY, .SQLITE_LOCKED: self.init(.unavailable, detail)
            case .SQLITE_MISUSE: self.init(.closed, detail)
            default: self.init(.storage, detail)
            }
        default:
            self.init(.storage, "\(type(of: error))")
        }
    }

    static let logIsClosed = LogError(.closed, "the log is closed")
    static let consumerIsClosed = LogError(.closed, "the consumer is closed")

    static func unknown(_ topic: Topic) -> LogError { LogError(.unknownTopic, topic.name) }
    static func fenced(_ partition: TopicPartition) -> LogError { LogError(.fenced, "\(partition) is not ours") }

    /// The system's word for a failed call on one of our own files.
    static func system(_ call: String, _ path: String) -> LogError {
        LogError(.storage, "\(call) \(path): \(String(cString: strerror(errno)))")
    }
}
