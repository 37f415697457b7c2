import ArgumentParser
import EventLog
import Processing
import Service

/// Which letters are meant. All conditions given must hold; without any, all letters are.
struct LetterFilter: ParsableArguments {
    @Option(help: "Only this disposition: MAX_ATTEMPTS, REJECTED, DESERIALIZATION, EXPIRED or UNKNOWN.") var disposition: String?
    @Option(name: .customLong("class"), help: "Only this error class, e.g. 131047 or timeout.") var errorClass: String?
    @Option(help: "Only records that came from this topic.") var topic: String?
    @Option(help: "Only letters written since then: a time (RFC 3339) or an age (6h).") var since: LogPoint?
    @Option(help: "Only letters written before then.") var until: LogPoint?

    func validate() throws {
        if let disposition, HandlerFailure.Disposition(rawValue: disposition.uppercased()) == nil {
            throw ValidationError("--disposition takes MAX_ATTEMPTS, REJECTED, DESERIALIZATION, EXPIRED or UNKNOWN")
        }
        for point in [since, until] {
            guard let point else { continue }
            guard case .time = point else { throw ValidationError("--since and --until take a time (2026-11-21T10:00:00Z) or an age (6h)") }
        }
    }

    func matches(_ letter: Letter) -> Bool {
        if let disposition, letter.cause.disposition != disposition.uppercased() { return false }
        if let errorClass, letter.cause.errorClass != errorClass { return false }
        if let topic, letter.cause.topic != topic { return false }
        if case .time(let time) = since, letter.record.timestamp < time { return false }
        if case .time(let time) = until, letter.record.timestamp >= time { return false }
        return true
    }
}
