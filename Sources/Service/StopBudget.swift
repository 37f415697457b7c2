import Foundation
import Logging

/// How the time of a graceful stop is divided, so that all of it ends within `total`.
///
/// | part | at most |
/// |---|---|
/// | only saying "not ready" (`MILLRACE_DRAIN_MS`) | 10 s |
/// | requests in flight (`requests`) | 10 s, less when the delay takes it |
/// | the spill's last words, and everything else that runs | the rest of 19 s; then it is cancelled |
/// | flushing the log | 5 s |
public struct StopBudget: Sendable {
    /// Kubernetes and Docker wait 30 s and 10 s by default; what is still there then is killed.
    static let total: Duration = .seconds(25)
    /// What the log may take to be closed (`KafkaLogConfiguration.closeTimeout`), and the admin port.
    static let log: Duration = .seconds(6)
    /// What the spill waits for the log's word (`SpillConfiguration.closeTimeout`), and closing its file.
    static let spill: Duration = .seconds(3)
    /// From the begin of the stop until what still runs is cancelled.
    static var services: Duration { total - log }

    let drainDelay: Duration

    /// How long requests that are in flight may take to end.
    public var requests: Duration { min(.seconds(10), Self.services - Self.spill - drainDelay) }

    /// Ends the process when the stop that begins now takes longer, whatever hangs.
    static func watch(_ logger: Logger) {
        let thread = Thread {
            Thread.sleep(forTimeInterval: Double(total.components.seconds))
            logger.error("The stop takes too long; the process ends")
            LogLines.standardError.flush(within: .milliseconds(200))
            _exit(1)
        }
        thread.name = "stop-watch"
        thread.start()
    }
}

extension Settings {
    public var stopBudget: StopBudget { StopBudget(drainDelay: drainDelay) }
}
