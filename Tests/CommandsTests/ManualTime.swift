import EventLog
import Synchronization

/// Wall time that the test moves.
final class ManualTime: Sendable {
    private let time: Mutex<Timestamp>

    init(_ start: Timestamp) { time = Mutex(start) }

    var now: @Sendable () -> Timestamp {
        { self.time.withLock { $0 } }
    }

    func advance(_ duration: Duration) { time.withLock { $0 = $0 + duration } }
}
