import Synchronization
import Telemetry
import WhatsApp

/// What a program answers when it is asked whether it can work: named checks, all of which must hold.
///
/// Checks are looked at when somebody asks and must answer from what they know: a check that waits would make the
/// answer late when it matters most.
public final class Health: Sendable {
    private struct State {
        var checks: [(name: String, check: @Sendable () -> Readiness)] = []
        var isStarted = false
        var isDraining = false
        var whenDraining: [@Sendable () -> Void] = []
    }

    private let state = Mutex(State())

    public init() {}

    /// - Parameter name: of a closed set; it is shown.
    public func add(_ name: String, _ check: @escaping @Sendable () -> Readiness) {
        state.withLock { $0.checks.append((name, check)) }
    }

    /// Not ready before: the log may not be open yet, and nothing has said what to check.
    func start() { state.withLock { $0.isStarted = true } }

    /// Not ready any more, for good: the process is about to stop.
    func drain() {
        let told = state.withLock { state in
            state.isDraining = true
            return state.whenDraining
        }
        for tell in told { tell() }
    }

    /// Calls `body` when the process is about to stop, before its services are.
    public func whenDraining(_ body: @escaping @Sendable () -> Void) { state.withLock { $0.whenDraining.append(body) } }

    struct Report {
        /// `ready`, `starting`, `draining` or `not ready`.
        var status: String
        var checks: [(name: String, readiness: Readiness)]

        var isReady: Bool { status == Readiness.ready.word }

        var json: [UInt8] {
            JSONWriter.object { report in
                report.member("status", status)
                report.object("checks") { members in
                    for (name, readiness) in checks { members.member(name, readiness.word) }
                }
            }
        }
    }

    var report: Report {
        let state = state.withLock { $0 }
        let checks = state.checks.map { (name: $0.name, readiness: $0.check()) }
        let status =
            if state.isDraining { "draining" } else if !state.isStarted { "starting" } else {
                checks.allSatisfy(\.readiness.isReady) ? Readiness.ready.word : "not ready"
            }
        return Report(status: status, checks: checks)
    }
}
