import Foundation

/// `millrace-bench-sender`: what the outbound path must hold, measured. One line a goal, exit 1 when one is short.
///
/// | goal | what |
/// |---|---|
/// | `sender.limiter.rate` | 1,000 a second on one number, answers after 100 ms: held within 1 % |
/// | `sender.limiter.refusals` | limit errors meanwhile |
/// | `sender.sends` | sends a second over 100 numbers, answers after 5 ms |
/// | `sender.cpu.ratio` | CPU of a send beside a bare libcurl multi loop that does the same |
///
/// The other side runs in a process of its own (`serve`, `simulate`), so that its CPU time is not ours.
func measureAll() async throws -> Bool {
    var goals = Goals()
    try await CPUCost.measure(&goals)
    try await Throughput.measure(&goals)
    try await LimiterAccuracy.measure(&goals)
    return goals.areMet
}

switch CommandLine.arguments.dropFirst().first {
case "serve": try await AnswerServer.run(delay: .milliseconds(5))
case "simulate": try await SimulatedPlatform.run()
default:
    exit(try await measureAll() ? 0 : 1)
}
