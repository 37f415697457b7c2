import EventLog
import Synchronization

/// How far the statuses of each number have come: up to which moment messages were accepted that have got theirs.
///
/// That is what makes silence about one message mean something. Statuses that are late, because webhooks are away, a
/// broker stands still or the machine is overloaded, are those of messages accepted long ago, and count for then. The
/// gap between two messages counts, but no more than `patience` of it: a number that is silent proves nothing.
final class StatusFlow: Sendable {
    struct Reading: Sendable, Hashable {
        /// The latest message that got a status was accepted then, by our own clock.
        var last: Timestamp?
        /// Time that was covered.
        var sum = Duration.zero
    }

    /// Numbers that are looked at; more than one installation sends for. Those beyond it gather no time.
    private static let maxNumbers = 20_000

    let patience: Duration
    private let numbers = Mutex<[String: Reading]>([:])

    init(patience: Duration) { self.patience = patience }

    /// A message of the number, accepted then, has got a status.
    func note(_ number: String, accepted: Timestamp) {
        numbers.withLock { numbers in
            guard var known = numbers[number], let last = known.last else {
                if numbers.count < Self.maxNumbers { numbers[number] = Reading(last: accepted) }
                return
            }
            guard accepted > last else { return }
            known.sum += min(accepted - last, patience)
            known.last = accepted
            numbers[number] = known
        }
    }

    func reading(_ number: String) -> Reading { numbers.withLock { $0[number] ?? Reading() } }
}
