import EventLog
import Synchronization

/// One call of `send`, divided among lanes: it is answered when every part is durable, or when one has failed and none
/// is under way any more.
final class SpillCall: Sendable {
    private let rest: Mutex<(parts: Int, failure: LogError?)>
    private let completion: @Sendable (LogError?) -> Void

    init(parts: Int, completion: @escaping @Sendable (LogError?) -> Void) {
        rest = Mutex((parts, nil))
        self.completion = completion
    }

    /// Once per part. The last one answers the caller: call it outside of any lock.
    func settle(_ failure: LogError?) {
        let (isLast, failure) = rest.withLock { rest in
            rest.parts -= 1
            if rest.failure == nil { rest.failure = failure }
            return (rest.parts == 0, rest.failure)
        }
        if isLast { completion(failure) }
    }
}

/// A caller's part that has come to its end.
struct Settlement {
    var call: SpillCall
    /// Nil when the part is durable, on the log or in the spill.
    var failure: LogError?
}

/// Records for the spill, in the order of their lane.
struct SpillAppend: Sendable {
    var lane: Int
    /// Of the flight that they are a copy of; nil for records that the log has not seen.
    var flight: UInt64?
    var records: [Record]
    var bytes: Int
    /// Nil for a copy: its flight has the caller.
    var call: SpillCall?
}

/// A record that the log refuses for good.
struct Rejection: Sendable {
    var lane: Int
    var flight: UInt64
    var record: Record
    var reason: LogError
}
