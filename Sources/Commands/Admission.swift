import Synchronization

/// Lets so many operations in at a time, and no caller wait longer than the deadline.
///
/// What is let in runs to its end even when nobody waits for it any more, and counts until then: a log that is down
/// must not gather operations without bound.
final class Admission: Sendable {
    enum Refusal: Error, Sendable { case full, late }

    private let limit: Int
    private let running = Mutex(0)

    init(limit: Int) { self.limit = limit }

    /// Operations that run now.
    var count: Int { running.withLock { $0 } }

    func run<Value: Sendable>(
        within deadline: Duration, _ operation: @escaping @Sendable () async throws -> Value
    ) async throws -> Value {
        let isLetIn = running.withLock { running in
            if running >= limit { return false }
            running += 1
            return true
        }
        guard isLetIn else { throw Refusal.full }
        let answer = AsyncThrowingStream<Value, any Error>.makeStream(bufferingPolicy: .bufferingOldest(1))
        let late = Task {
            try await Task.sleep(for: deadline)
            answer.continuation.finish(throwing: Refusal.late)
        }
        Task {
            defer { running.withLock { $0 -= 1 } }
            do {
                answer.continuation.yield(try await operation())
                answer.continuation.finish()
            } catch {
                answer.continuation.finish(throwing: error)
            }
        }
        defer { late.cancel() }
        for try await value in answer.stream { return value }
        throw CancellationError()
    }
}
