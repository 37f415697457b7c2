import EventLog
import Synchronization

/// One written entry; a nil value removes the key.
struct StateEntry: Sendable, Hashable {
    var value: [UInt8]?
    var expires: Timestamp?
}

typealias StateWrites = [String: StateEntry]

/// What handlers of a lane wrote and the disk does not have yet.
struct StateOverlay: Sendable {
    /// Being written to the disk.
    private var flushing: StateWrites = [:]
    /// Written by handlers since.
    private var fresh: StateWrites = [:]

    subscript(key: String) -> StateEntry? { fresh[key] ?? flushing[key] }

    mutating func merge(_ writes: StateWrites) {
        if fresh.isEmpty { fresh = writes } else { fresh.merge(writes) { _, new in new } }
    }

    /// Hands everything over for one transaction. It stays visible until `flushed`.
    mutating func takeForFlush() -> StateWrites {
        precondition(flushing.isEmpty, "one transaction at a time")
        swap(&flushing, &fresh)
        return flushing
    }

    mutating func flushed() { flushing = [:] }
}

/// The state as one handler sees it: its own writes, then its parent's. What it wrote counts only when it is taken.
final class StateScope: StateStore {
    private let parent: any StateStore
    private let rules: StateRules?
    private let writes = Mutex<StateWrites>([:])

    init(parent: any StateStore, rules: StateRules? = nil) {
        self.parent = parent
        self.rules = rules
    }

    func value(_ key: String) async throws -> [UInt8]? {
        if let own = writes.withLock({ $0[key] }) { return own.value }
        return try await parent.value(key)
    }

    func set(_ key: String, to value: [UInt8]?, expires: Timestamp?) async throws {
        var entry = StateEntry(value: value, expires: expires)
        if let rules { entry = try await rules.admit(key, entry) { try await self.value(key) != nil } }
        writes.withLock { [entry] in $0[key] = entry }
    }

    func take() -> StateWrites { writes.withLock { $0 } }
    func discard() { writes.withLock { $0 = [:] } }

    func merge(_ others: StateWrites) {
        if others.isEmpty { return }
        writes.withLock { $0.merge(others) { _, new in new } }
    }
}

/// For processors that declare no state.
struct NoState: StateStore {
    func value(_ key: String) async throws -> [UInt8]? { nil }
    func set(_ key: String, to value: [UInt8]?, expires: Timestamp?) async throws {
        throw HandlerFailure.permanent("no-state", "the processor declares no state", disposition: .rejected)
    }
}
