import NIOCore
import Synchronization

import enum Telemetry.Readiness

/// Whether the log takes anything at all, judged by what became of the last deliveries. Costs two or three atomic
/// stores a delivery.
///
/// | not ready | ready again |
/// |---|---|
/// | deliveries wait and none was answered for as long as a sender waits | as soon as one is |
/// | the last `failuresInRow` were refused | with the first that is taken, or when nothing was refused for `retryAfter` |
///
/// The second way back lets senders try again: when they are kept away, only time can tell that the log is well.
final class ProducerHealth: Sendable {
    static let failuresInRow = 3
    static let retryAfter = TimeAmount.seconds(10)

    private let patience: TimeAmount
    /// Deliveries that wait for the log's word.
    private let waiting = Atomic(0)
    /// When one was answered last, or began to wait alone.
    private let movedAt = Atomic<UInt64>(0)
    private let failures = Atomic(0)
    private let failedAt = Atomic<UInt64>(0)

    init(patience: TimeAmount) { self.patience = patience }

    func sent(at now: NIODeadline) {
        if waiting.add(1, ordering: .relaxed).oldValue == 0 {
            movedAt.store(now.uptimeNanoseconds, ordering: .relaxed)
        }
    }

    func answered(isFailure: Bool, at now: NIODeadline) {
        waiting.subtract(1, ordering: .relaxed)
        movedAt.store(now.uptimeNanoseconds, ordering: .relaxed)
        if isFailure {
            failedAt.store(now.uptimeNanoseconds, ordering: .relaxed)
            failures.wrappingAdd(1, ordering: .relaxed)
        } else if failures.load(ordering: .relaxed) != 0 {
            failures.store(0, ordering: .relaxed)
        }
    }

    func readiness(at now: NIODeadline) -> Readiness {
        func isPast(_ time: borrowing Atomic<UInt64>, by limit: TimeAmount) -> Bool {
            now - .uptimeNanoseconds(time.load(ordering: .relaxed)) > limit
        }
        if failures.load(ordering: .relaxed) >= Self.failuresInRow, !isPast(failedAt, by: Self.retryAfter) {
            return .notReady("the log refuses")
        }
        if waiting.load(ordering: .relaxed) > 0, isPast(movedAt, by: patience) { return .notReady("the log is silent") }
        return .ready
    }
}
