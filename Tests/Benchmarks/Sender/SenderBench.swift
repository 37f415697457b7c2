import ArgumentParser
import EventLog
import Foundation
import WhatsApp

/// `outbound-sender` as it is run: commands on an embedded log, the simulated 360dialog or a bare server as the API.
struct SenderBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sender", abstract: "Measures the outbound sender.",
        discussion: """
            steady      one number of 1,000/s, answers after 100 ms, one instance
            three       the same with three instances, started together
            accuracy    numbers of 20, 80 and 250/s side by side
            throughput  100 numbers, answers after 5 ms; and what a send costs beside a bare libcurl loop
            fairness    a campaign of 100,000 on one number, replies on another one
            """)

    enum Stage: String, CaseIterable, ExpressibleByArgument { case steady, three, accuracy, throughput, fairness }

    @Option(help: "A library that the sender is started with where its CPU is measured: an allocator, as the image has one.")
    var preload: String?
    @Flag(help: "Shorter runs.")
    var quick = false
    @Option(parsing: .upToNextOption, help: "These stages alone.")
    var only: [Stage] = Stage.allCases

    func run() async throws {
        var goals = Goals()
        if let preload { say("The sender runs with \(preload) where its CPU is measured.") }
        say(SenderRow.header)
        for stage in Stage.allCases where only.contains(stage) {
            do {
                switch stage {
                case .steady: try await OneNumber.measure(instances: 1, quick: quick, &goals)
                case .three: try await OneNumber.measure(instances: 3, quick: quick, &goals)
                case .accuracy: try await SlowNumbers.measure(quick: quick, &goals)
                case .throughput: try await ManyNumbers.measure(quick: quick, preload: preload, &goals)
                case .fairness: try await Fairness.measure(quick: quick, &goals)
                }
            } catch {
                say("\(stage.rawValue) failed: \(error)")
                goals.atMost("sender_\(stage.rawValue)_failures", 1, 0)
            }
        }
        throw ExitCode(goals.report())
    }
}

/// A line of the table.
struct SenderRow {
    static let header =
        "| load | instances | accepted | accepted/s | refused by a limit | CPU us/send | peak MiB |\n|---|--:|--:|--:|--:|--:|--:|"

    var load: String
    var instances = 1
    var accepted: Int
    var perSecond: Double
    var refused: Int?
    var cpu: Double?
    var memory: Double?

    func print() {
        func text(_ value: Double?) -> String { value.map { String(format: "%.1f", $0) } ?? "–" }
        say(
            "| \(load) | \(instances) | \(accepted) | \(text(perSecond)) | \(refused.map(String.init) ?? "–") | \(text(cpu)) | \(text(memory)) |")
    }
}
