import Foundation
import Logging
import UnixSignals

/// Ends the process with code 0 when it is told to stop before its services run, e.g. while it looks for the log. Nothing
/// has been promised to anybody by then, so there is nothing to finish.
struct EarlyStop: Sendable {
    private let waiting: Task<Void, Never>

    init(_ logger: Logger) async {
        let signals = await UnixSignalsSequence(trapping: .sigterm, .sigint)
        waiting = Task {
            for await _ in signals {
                logger.info("stopped before it had started")
                exit(0)
            }
        }
    }

    /// From now on signals are the services' business.
    func end() { waiting.cancel() }
}
