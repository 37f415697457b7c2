import ArgumentParser

/// Measures Millrace on this machine, beside its rivals where they are at hand. `deploy/local bench …` builds and runs it.
///
/// Every benchmark prints a table and then one line a goal, `goal <name> <value> <limit> ok|short`; the exit code is 1
/// when one is short.
@main
struct MillraceBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace-bench", abstract: "Measures Millrace on this machine.",
        // A further stage's benchmark is one more command here, and uses Measured, Goals and ServerProcess.
        subcommands: [
            IngressBench.self, ProcessingBench.self, SenderBench.self, KillOracle.self,
            // The other sides, each in a process of its own.
            LimitServer.self, Broker.self, AnswerServer.self, Platform.self, BareSends.self, ClientSends.self,
            FillLog.self, KillWorker.self,
        ])
}
