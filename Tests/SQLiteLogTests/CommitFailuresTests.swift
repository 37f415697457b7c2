import EventLog
import Logging
import Synchronization
import Testing

@testable import SQLiteLog

@Suite struct CommitFailuresTests {
    private struct Lines: LogHandler {
        let book = Book()
        var logLevel = Logger.Level.trace
        var metadata: Logger.Metadata = [:]
        subscript(metadataKey key: String) -> Logger.MetadataValue? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }
        func log(event: LogEvent) { book.lines.withLock { $0.append("\(event.metadata?["error.count"] ?? "")") } }
    }
    private final class Book: Sendable { let lines = Mutex<[String]>([]) }

    /// Thousands of commits a second may fail while a disk is full.
    @Test func failuresAreToldEveryTenSecondsWithTheirNumber() {
        let lines = Lines()
        let logger = Logger(label: "test") { _ in lines }
        let failures = CommitFailures()
        let start = ContinuousClock.now
        for number in 0..<2_000 {
            failures.note(LogError(.storage, "full"), logger, now: start + .milliseconds(10 * number + 1))
        }
        #expect(lines.book.lines.withLock { $0 } == ["1", "1000"])
    }
}
