import EventLog
import Logging
import Synchronization

/// Commits that failed, told at most every ten seconds with their number: a disk that is full must not be filled with
/// words about it.
final class CommitFailures: Sendable {
    private static let pause: Duration = .seconds(10)

    private let state = Mutex((untold: 0, next: ContinuousClock.now))

    func note(_ failure: LogError, _ logger: Logger, now: ContinuousClock.Instant = .now) {
        let count: Int? = state.withLock { state in
            state.untold += 1
            guard state.next <= now else { return nil }
            state.next = now + Self.pause
            defer { state.untold = 0 }
            return state.untold
        }
        guard let count else { return }
        logger.warning("commits failed", metadata: [LogKeys.error: "\(failure)", LogKeys.count: "\(count)"])
    }
}
