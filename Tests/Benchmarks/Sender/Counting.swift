import EventLog
import Simulator
import WhatsApp

extension Sequence<OutboundResult> {
    /// Commands that were accepted within so many seconds from a moment on.
    func accepted(from start: Timestamp, for seconds: Int) -> Int {
        let end = start + .seconds(seconds)
        return count { $0.outcome == .accepted && $0.finishedAt >= start && $0.finishedAt < end }
    }
}

extension SimulatorReport {
    /// Sends that were refused because there were too many: of a number, of a pair, of an account.
    var limitErrors: Int { ["130429", "131056", "80007"].reduce(0) { $0 + (sends.refusedCodes[$1] ?? 0) } }
}

extension Duration {
    var seconds: Double { self / .seconds(1) }
}
