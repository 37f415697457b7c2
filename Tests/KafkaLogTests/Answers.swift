import EventLog
import Synchronization

/// Collects the completions of many sends.
final class Answers: Sendable {
    private let results: Mutex<[Int: Result<[RecordPosition], LogError>]> = Mutex([:])
    private let count: Int
    private let whenAll: @Sendable ([Offset]) -> Void

    init(count: Int, whenAll: @escaping @Sendable ([Offset]) -> Void) {
        self.count = count
        self.whenAll = whenAll
    }

    func put(_ index: Int, _ result: Result<[RecordPosition], LogError>) {
        let isComplete = results.withLock { results in
            results[index] = result
            return results.count == count
        }
        if isComplete { whenAll(offsets) }
    }

    var isEmpty: Bool { results.withLock { $0.isEmpty } }

    /// First offset of each send that succeeded, in the order of the sends.
    var offsets: [Offset] {
        results.withLock { results in
            results.sorted { $0.key < $1.key }.compactMap { try? $0.value.get().first?.offset }
        }
    }

    var errors: [LogError] {
        results.withLock { results in
            results.values.compactMap { if case .failure(let error) = $0 { error } else { nil } }
        }
    }
}
