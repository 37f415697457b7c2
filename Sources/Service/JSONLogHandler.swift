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
        let all = metadata.merging(event.metadata ?? [:], uniquingKeysWith: { $1 }).sorted { $0.key < $1.key }
        let line = JSONWriter.object { line in
            line.member("time", RFC3339.string(.now))
            line.member("level", event.level.rawValue)
            line.member("service", label)
            line.member("message", event.message.description)
            for (key, value) in all { line.member(key, value.description) }
        }
        StandardError.write(line + [UInt8(ascii: "\n")])
    }
}
