import ArgumentParser
import D360
import EventLog
import Foundation
import Logging
import Simulator

/// The simulated 360dialog with its limits, and nobody who hears of statuses. Prints its port.
struct Platform: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "platform", shouldDisplay: false)
    @Option var delayMs = 100
    /// What each number may send in a second; the numbers are those of `Scene`.
    @Option(parsing: .upToNextOption) var rates: [Double]

    func run() async throws {
        Parent.watch()
        let numbers = rates.enumerated().map { index, rate in
            var number = SimulatedNumber(apiKey: Scene.apiKey(index), phoneNumberID: Scene.number(index))
            number.rate = rate
            return number
        }
        var configuration = SimulatorConfiguration(numbers: numbers, seed: 1)
        configuration.port = 0
        configuration.customers.messagesPerSecond = 0
        configuration.responseDelay = .milliseconds(delayMs)
        configuration.limits.limitsPairs = true
        configuration.statuses.sentAfter = .seconds(86_400)
        configuration.webhooks.queueLimit = 1_000_000
        let silent = Logger(label: "platform") { _ in SwiftLogNoOpLogHandler() }
        let simulator = Simulator(configuration, transport: HTTPTransport(), logger: silent)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await simulator.run() }
            say("\(try await simulator.port())")
            try await group.waitForAll()
        }
    }
}
