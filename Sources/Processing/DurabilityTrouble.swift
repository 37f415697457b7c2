import Synchronization

/// Steps that must become durable and do not: a log out of reach, a full disk. Shared by all lanes of a runtime.
final class DurabilityTrouble: Sendable {
    /// A step that failed so often in a row is more than a hiccup: some seconds have passed.
    static let failuresInRow = 8

    private let steps = Mutex(0)

    var isThere: Bool { steps.withLock { $0 > 0 } }
    func begins() { steps.withLock { $0 += 1 } }
    func ends() { steps.withLock { $0 -= 1 } }
}
