import EventLog
import Logging
import WhatsApp

/// Log lines as JSON on standard error, one object a line: `time`, `level`, `service`, `message`, then the metadata.
struct JSONLogHandler: LogHandler {
    let label: String
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]

    subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 })
        LogLines.standardError.add(Self.line(event.level, service: label, event.message.description, all))
    }

    static func line(
        _ level: Logger.Level, service: String, _ message: String, _ metadata: Logger.Metadata
    ) -> [UInt8] {
        let line = JSONWriter.object { line in
            line.member("time", RFC3339.string(.now))
            line.member("level", level.rawValue)
            line.member("service", service)
            line.member("message", message)
            for (key, value) in metadata.sorted(by: { $0.key < $1.key }) { line.member(key, value.description) }
        }
        return line + [UInt8(ascii: "\n")]
    }
}
