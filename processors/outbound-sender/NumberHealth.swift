import EventLog
import Synchronization

/// Tells a message that the API stumbles over from an API that is down, number by number.
///
/// | since the API last took or refused a message of the number | that is |
/// |---|---|
/// | messages of several conversations have failed, for a second or more | down |
/// | messages of one conversation alone have failed, with "I am down" or without a connection | down, unless it has taken others since this message failed before |
/// | the same with any other answer, e.g. a plain 500 | the message's own fault |
///
/// While a number is down nothing is held against its messages. A fault of the message's own is tried again for a minute
/// and ends, so that one that the API always stumbles over holds neither its conversation nor its number.
final class NumberHealth: Sendable {
    private struct Failing {
        let since: Timestamp
        let conversation: String
        var isOfSeveral = false
    }

    private struct Health {
        /// Counts what the API took or refused since somebody looks.
        var answers: UInt64 = 0
        var failing: Failing?
    }

    /// What the failure of a message means.
    struct Verdict: Sendable, Hashable {
        var isDown: Bool
        /// To be told with the next failure of the same message.
        var seen: UInt64
    }

    /// In one moment messages of several conversations may fail by chance.
    static let leastTime = Duration.seconds(1)
    /// More numbers than one installation sends for; of those beyond it a failure is the message's own.
    private static let maxNumbers = 20_000

    private let numbers = Mutex<[String: Health]>([:])

    /// The API took a message of the number, or refused it for what it is.
    func answered(_ number: String) {
        numbers.withLock { numbers in
            // Where nothing has failed yet nobody asks.
            guard !numbers.isEmpty, let index = numbers.index(forKey: number) else { return }
            numbers.values[index].answers += 1
            numbers.values[index].failing = nil
        }
    }

    /// - Parameters:
    ///   - saysDown: the answer speaks of the API and not of the message.
    ///   - seen: of the message's failure before, by this instance.
    func failed(_ number: String, _ conversation: String, saysDown: Bool, seen: UInt64?, at now: Timestamp) -> Verdict {
        numbers.withLock { numbers in
            if numbers[number] == nil, numbers.count >= Self.maxNumbers { return Verdict(isDown: saysDown, seen: 0) }
            var health = numbers[number] ?? Health()
            var failing = health.failing ?? Failing(since: now, conversation: conversation)
            failing.isOfSeveral = failing.isOfSeveral || failing.conversation != conversation
            health.failing = failing
            numbers[number] = health
            let othersFail = failing.isOfSeveral && now - failing.since >= Self.leastTime
            let othersWereTaken = seen.map { $0 != health.answers } ?? false
            return Verdict(isDown: othersFail || saysDown && !othersWereTaken, seen: health.answers)
        }
    }
}
