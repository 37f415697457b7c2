import EventLog
import Synchronization

/// How long statuses of each number have been coming in: the time in which the status of a message would have come, too.
///
/// The gap between two statuses counts, but no more than `patience` of it: while webhooks are away, or the number is
/// silent, next to nothing counts. A status that the ingress had stored longer than `patience` ago says nothing about now.
final class StatusFlow: Sendable {
    private struct Number {
        var last: Timestamp
        var sum = Duration.zero
    }

    /// Numbers that are looked at; more than one installation sends for. Those beyond it gather no time.
    private static let maxNumbers = 20_000

    let patience: Duration
    private let numbers = Mutex<[String: Number]>([:])

    init(patience: Duration) { self.patience = patience }

    /// - Parameter recorded: when the ingress stored the status.
    func note(_ number: String, recorded: Timestamp, now: Timestamp) {
        if now - recorded > patience { return }
        numbers.withLock { numbers in
            guard var known = numbers[number] else {
                if numbers.count < Self.maxNumbers { numbers[number] = Number(last: recorded) }
                return
            }
            guard recorded > known.last else { return }
            known.sum += min(recorded - known.last, patience)
            known.last = recorded
            numbers[number] = known
        }
    }

    func reading(_ number: String) -> Duration { numbers.withLock { $0[number]?.sum ?? .zero } }
}
