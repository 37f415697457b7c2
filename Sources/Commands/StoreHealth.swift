import Synchronization
import Telemetry

/// Whether commands become durable at all, judged by what became of the last ones.
///
/// Three refusals of the log in a row, with none taken between, mean no; so does the last of them until `retryAfter` has
/// passed: when callers are kept away, only time can tell that the log is well.
final class StoreHealth: Sendable {
    static let failuresInRow = 3
    static let retryAfter = Duration.seconds(10)

    private struct Past {
        var failures = 0
        var failedAt: ContinuousClock.Instant?
    }
    private let past = Mutex(Past())

    func stored() { past.withLock { $0.failures = 0 } }

    func failed(at now: ContinuousClock.Instant = .now) {
        past.withLock { past in
            past.failures += 1
            past.failedAt = now
        }
    }

    func readiness(at now: ContinuousClock.Instant = .now) -> Readiness {
        past.withLock { past in
            guard past.failures >= Self.failuresInRow, let failedAt = past.failedAt, now - failedAt < Self.retryAfter else {
                return .ready
            }
            return .notReady("the log refuses")
        }
    }
}
