import D360
import EventLog
import Foundation
import Logging
import SendLimits
import Simulator
import Synchronization
import WhatsApp

/// One instance and one number of 1,000 a second, before a platform that refuses more.
enum LimiterAccuracy {
    static let rate = 1_000.0
    static let length = 15
    /// The first seconds fill the line.
    static let warmUp = 3

    private final class Tally: Sendable {
        struct Counts {
            /// By second.
            var accepted = [Int](repeating: 0, count: length + 1)
            var refused = 0
            var other = 0
        }
        let counts = Mutex(Counts())
    }

    static func measure(_ goals: inout Goals) async throws {
        let platform = try OtherSide("simulate")
        defer { platform.stop() }
        let limiter = SendLimiter(clock: ContinuousClock())
        limiter.setShare(owned: 12, of: 12)
        limiter.setNumbers([SendingNumber(id: Load.number(0), rate: rate)])
        let transport = HTTPTransport()
        let client = D360Client(transport: transport)
        let endpoint = Load.endpoint(port: platform.port)
        let tally = Tally()
        let start = ContinuousClock.now
        await withTaskGroup(of: Void.self) { group in
            for worker in 0..<400 {
                group.addTask {
                    var user = worker
                    while ContinuousClock.now - start < .seconds(length) {
                        user += 400
                        guard let command = try? Load.command(number: 0, index: user),
                            let permit = try? await limiter.admit(
                                SendAdmission(number: Load.number(0), pair: command.conversationKey, kind: .bulk))
                        else { continue }
                        let outcome = await client.send(command, to: endpoint)
                        switch outcome {
                        case .accepted:
                            permit.report(.accepted)
                            let second = min(Int((ContinuousClock.now - start).seconds), length)
                            tally.counts.withLock { $0.accepted[second] += 1 }
                        case .retry(let error), .rejected(let error):
                            permit.report(.failed(error))
                            tally.counts.withLock { $0.refused += 1 }
                        case .notSent, .unknown:
                            permit.report(.noAnswer)
                            tally.counts.withLock { $0.other += 1 }
                        }
                    }
                }
            }
        }
        await transport.shutdown()
        let total = tally.counts.withLock { $0 }
        let counts = Array(total.accepted[warmUp..<length])
        let mean = Double(counts.reduce(0, +)) / Double(counts.count)
        say("accepted each second: \(counts.map(String.init).joined(separator: " "))")
        say("neither accepted nor refused: \(total.other)")
        goals.atLeast("sender.limiter.rate", mean, rate * 0.99)
        goals.atMost("sender.limiter.over", mean, rate)
        goals.atMost("sender.limiter.refusals", Double(total.refused), 0)
    }
}

/// `millrace simulate` with one number of 1,000 a second, 100 ms, and nobody who hears of statuses.
enum SimulatedPlatform {
    static func run() async throws {
        var configuration = SimulatorConfiguration(
            numbers: [SimulatedNumber(apiKey: "bench-key", phoneNumberID: Load.number(0))], seed: 1)
        configuration.port = 0
        configuration.customers.messagesPerSecond = 0
        configuration.responseDelay = .milliseconds(100)
        configuration.limits.numberRate = LimiterAccuracy.rate
        configuration.limits.limitsPairs = true
        configuration.statuses.sentAfter = .seconds(86_400)
        configuration.webhooks.queueLimit = 1_000_000
        var logger = Logger(label: "simulator")
        logger.logLevel = .critical
        let simulator = Simulator(configuration, transport: HTTPTransport(), logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await simulator.run() }
            say("\(try await simulator.port())")
            try await group.waitForAll()
        }
    }
}
