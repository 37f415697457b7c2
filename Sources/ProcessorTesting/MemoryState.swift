import EventLog
import Processing
import Synchronization

/// A processor's keyed state in memory. Entries expire by `now`, which the tester's clock moves.
public final class MemoryState: StateStore {
    typealias Entries = [String: (value: [UInt8], expires: Timestamp?)]

    private struct Content {
        var now = Timestamp(milliseconds: 0)
        var entries: Entries = [:]
    }
    private let content = Mutex(Content())

    public init() {}

    public var now: Timestamp {
        get { content.withLock { $0.now } }
        set { content.withLock { $0.now = newValue } }
    }

    /// Keys of all entries that have not expired, sorted.
    public var keys: [String] {
        content.withLock { content in
            content.entries.filter { !Self.isGone($0.value.expires, content.now) }.keys.sorted()
        }
    }

    public func value(_ key: String) async throws -> [UInt8]? {
        content.withLock { content in
            guard let entry = content.entries[key], !Self.isGone(entry.expires, content.now) else { return nil }
            return entry.value
        }
    }

    /// The same as text, for tests.
    public func text(_ key: String) async throws -> String? {
        try await value(key).map { String(decoding: $0, as: UTF8.self) }
    }

    public func set(_ key: String, to value: [UInt8]?, expires: Timestamp?) async throws {
        content.withLock { $0.entries[key] = value.map { ($0, expires) } }
    }

    /// To put back what a handler that failed has written.
    var entries: Entries {
        get { content.withLock { $0.entries } }
        set { content.withLock { $0.entries = newValue } }
    }

    private static func isGone(_ expires: Timestamp?, _ now: Timestamp) -> Bool { expires.map { $0 <= now } ?? false }
}
