import Synchronization

/// Looks for all who ask: those who come while somebody looks share the next look. Where many ask, a trip to another thread
/// and a transaction for each would cost more than all that is done there.
///
/// A look begins after all that it answers was asked, so it sees what was there then, or later.
public final class SharedLooks<Question: Sendable, Answer: Sendable, Failure: Error>: Sendable {
    public typealias Outcome = Result<Answer, Failure>

    private struct Asked {
        let question: Question
        let waiter: CheckedContinuation<Outcome, Never>
    }

    private struct Line {
        var waiting: [Asked] = []
        var isLooking = false
    }

    private let look: @Sendable ([Question]) async -> [Outcome]
    private let line = Mutex(Line())

    /// - Parameter look: answers each question, in their order. One look at a time.
    public init(_ look: @escaping @Sendable (_ questions: [Question]) async -> [Outcome]) { self.look = look }

    /// A task that is cancelled gets its answer all the same.
    public func ask(_ question: Question) async throws(Failure) -> Answer {
        let outcome = await withCheckedContinuation { waiter in
            let begins = line.withLock { line in
                line.waiting.append(Asked(question: question, waiter: waiter))
                defer { line.isLooking = true }
                return !line.isLooking
            }
            if begins { Task { await lookForAll() } }
        }
        return try outcome.get()
    }

    private func lookForAll() async {
        while true {
            let asked = line.withLock { line in
                defer { line.waiting = [] }
                line.isLooking = !line.waiting.isEmpty
                return line.waiting
            }
            if asked.isEmpty { return }
            let answers = await look(asked.map(\.question))
            precondition(answers.count == asked.count, "each question has its answer")
            for (asked, answer) in zip(asked, answers) { asked.waiter.resume(returning: answer) }
        }
    }
}
