import Logging
import Synchronization

/// Keeps every line that is logged, at every level: `<level> <message> [<metadata>]`.
///
///     let log = RecordedLog()
///     let logger = Logger(label: "test") { _ in log }
public final class RecordedLog: LogHandler {
    private let recorded = Mutex<[String]>([])

    public init() {}

    public var lines: [String] { recorded.withLock { $0 } }
    public var text: String { lines.joined(separator: "\n") }

    public var logLevel: Logger.Level {
        get { .trace }
        set { _ = newValue }
    }
    public var metadata: Logger.Metadata {
        get { [:] }
        set { _ = newValue }
    }
    public subscript(metadataKey key: String) -> Logger.MetadataValue? {
        get { nil }
        set { _ = newValue }
    }

    public func log(event: LogEvent) {
        recorded.withLock { $0.append("\(event.level) \(event.message) \(event.metadata ?? [:])") }
    }
}
