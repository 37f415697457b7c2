import Synchronization

/// Tells an event loop that delivery reports wait. Rung by librdkafka whenever its queue of reports is no longer empty.
final class ReportBell: Sendable {
    private let ringer = Mutex<(@Sendable () -> Void)?>(nil)

    /// Whether somebody listens; else the producer's own thread waits in the queue.
    var isHeard: Bool { ringer.withLock { $0 != nil } }

    /// When it returns, the one before is rung no more.
    func set(_ ring: (@Sendable () -> Void)?) { ringer.withLock { $0 = ring } }

    func ring() { ringer.withLock { $0?() } }

    /// From librdkafka's threads, with the bell as opaque pointer; the session keeps it alive.
    static func ring(_ opaque: UnsafeMutableRawPointer?) {
        guard let opaque else { return }
        Unmanaged<ReportBell>.fromOpaque(opaque).takeUnretainedValue().ring()
    }
}
