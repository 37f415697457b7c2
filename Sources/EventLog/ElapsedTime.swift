/// A clock as time since a start: for types that should not be generic over their clock.
public struct ElapsedTime: Sendable {
    private let read: @Sendable () -> Duration
    private let wait: @Sendable (_ until: Duration) async throws -> Void

    /// Starts now.
    public init<C: Clock>(_ clock: C) where C.Duration == Duration {
        let origin = clock.now
        read = { origin.duration(to: clock.now) }
        wait = { try await clock.sleep(until: origin.advanced(by: $0), tolerance: nil) }
    }

    public var now: Duration { read() }

    public func sleep(until moment: Duration) async throws { try await wait(moment) }
    public func sleep(for duration: Duration) async throws { try await wait(now + duration) }
}
