import EventLog
import Processing
import Synchronization

/// A state store in memory. Entries expire by `now`, which the test moves.
public final class MemoryState: StateStore {
    private struct Content {
        var now = Timestamp(milliseconds: 0)
        var entries: [String: (value: [UInt8], expires: Timestamp?)] = [:]
    }
    private let content = Mutex(Content())

    public init() {}

    public var now: Timestamp {
        get { content.withLock { $0.now } }
        set { content.withLock { $0.now = newValue } }
    }

    public func value(_ key: String) async throws -> [UInt8]? {
        content.withLock { content in
            guard let entry = content.entries[key] else { return nil }
            if let expires = entry.expires, expires <= content.now { return nil }
            return entry.value
        }
    }

    public func set(_ key: String, to value: [UInt8]?, expires: Timestamp?) async throws {
        content.withLock { $0.entries[key] = value.map { ($0, expires) } }
    }
}
