import EventLog
import Processing
import Synchronization

/// Handles a record by doing nothing.
struct DoNothing: Processor {
    let name: String
    let inputs: [Topic]
    let work: WorkMode

    func handle(_ record: StoredRecord, _ context: HandlerContext) async throws -> [Record] { [] }
}

/// Handles a record by waiting, as for an answer from elsewhere.
struct Waiting: Processor {
    let name: String
    let inputs: [Topic]
    let work: WorkMode
    static let time = Duration.milliseconds(20)

    func handle(_ record: StoredRecord, _ context: HandlerContext) async throws -> [Record] {
        try await Task.sleep(for: Self.time)
        return []
    }
}

/// Another processor, but the records of some conversations fail at every try, for a passing reason.
struct PartlyFailing<Base: Processor>: Processor {
    let base: Base
    let failing: Set<[UInt8]>

    var name: String { base.name }
    var inputs: [Topic] { base.inputs }
    var work: WorkMode { base.work }
    /// Tried all the time, and never given up within a run.
    var retry: RetryPolicy {
        RetryPolicy(base: .milliseconds(500), cap: .seconds(300), maxAttempts: 1_000, maxAge: .seconds(86_400))
    }

    func handle(_ record: StoredRecord, _ context: HandlerContext) async throws -> [Record] {
        if let key = record.key, failing.contains(key) { throw HandlerFailure.transient("bench", "fails at every try") }
        return try await base.handle(record, context)
    }
}
