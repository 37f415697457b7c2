import EventLog
import Foundation

/// The record that keeps what could not be handled, with its cause in headers.
enum DeadLetter {
    static let maxMessageBytes = 1_024
    static let redriveCount = "_dlq.redrive.count"

    /// Key, value and headers are the original's, unchanged; the cause is added behind them.
    ///
    /// `millrace dlq redrive` takes the cause away again and counts `_dlq.redrive.count` up; should the record die again
    /// the count is kept. Where another tool left the headers of a former death, the last of a name counts.
    static func record(of work: Work, failure: HandlerFailure, group: String, topic: Topic, now: Timestamp) -> Record {
        let original = work.record
        var headers = original.headers
        headers.append("_dlq.errors.original.topic", original.topic.name)
        headers.append("_dlq.errors.original.partition", "\(original.source.partition)")
        headers.append("_dlq.errors.original.offset", "\(original.offset)")
        headers.append("_dlq.errors.group", group)
        headers.append("_dlq.errors.attempts", "\(max(work.past.attempts, 1))")
        headers.append("_dlq.errors.disposition", failure.disposition.rawValue)
        headers.append("_dlq.errors.class", failure.errorClass)
        headers.append("_dlq.errors.message", bounded(failure.message))
        headers.append("_dlq.errors.first-failed-at", text(work.past.firstFailedAt ?? now))
        if headers[redriveCount] == nil { headers.append(redriveCount, "0") }
        return Record(topic: topic, key: original.key, value: original.value, headers: headers)
    }

    /// At most 1 KiB of UTF-8, cut between characters.
    static func bounded(_ message: String) -> String {
        if message.utf8.count <= maxMessageBytes { return message }
        var bytes = 0
        return String(
            message.prefix { character in
                bytes += character.utf8.count
                return bytes <= maxMessageBytes
            })
    }

    /// RFC 3339 with milliseconds, UTC, like `ce_time`.
    private static func text(_ time: Timestamp) -> String {
        Date(timeIntervalSince1970: Double(time.milliseconds) / 1_000)
            .formatted(Date.ISO8601FormatStyle(includingFractionalSeconds: true))
    }
}

extension HandlerFailure {
    /// What an error thrown by a handler means. What it says stays out of logs: only `errorClass` goes there.
    package init(_ error: any Error) {
        switch error {
        case let failure as HandlerFailure: self = failure
        case let error as any UnreadableRecord:
            self = .permanent("malformed", error.description, disposition: .deserialization)
        case let error as LogError: self = .transient("log-\(error.code.name)", error.detail)
        default: self = .transient("\(type(of: error))", "\(error)")
        }
    }
}
