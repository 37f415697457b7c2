import EventLog
import Foundation
import Service
import Simulator
import Testing
import WhatsApp

/// The promise of sending: each command once, though answers get lost and the sender dies again and again.
///
/// One answer in a hundred is withheld after the message was accepted; the sender is killed (SIGKILL) in the middle of its
/// work. Whether a message went out twice is told by the simulator, which counts what it accepted; whether one got lost, by
/// the results topic.
///
/// Light by default. `MILLRACE_SENDER_KILL_SECONDS` (how long it is killed), `MILLRACE_SENDER_KILL_RATE` (commands a
/// second), `MILLRACE_SENDER_KILL_EVERY_MS` (of work between two kills) and `MILLRACE_BIN` (a release build) make it the
/// real thing; `MILLRACE_TEST_KAFKA=host:port,…` runs it on a Kafka, with a kill every 60 s.
@Suite(.serialized) struct SenderKillTests {
    @Test func everyCommandIsSentOnceThoughAnswersGetLostAndTheSenderDies() async throws {
        try await Self.run(on: nil, Topics(), Plan(seconds: 20, rate: 40, everyMilliseconds: 1_500, unknownWait: 3_000))
    }

    @Test(.enabled(if: ProcessInfo.processInfo.environment["MILLRACE_TEST_KAFKA"] != nil))
    func everyCommandIsSentOnceOnAKafka() async throws {
        let bootstrap = try #require(ProcessInfo.processInfo.environment["MILLRACE_TEST_KAFKA"])
        // Real brokers remember other runs.
        let topics = Topics(prefix: "sender-kill-\(UUID().uuidString.prefix(8))", partitions: 12)
        try await Self.run(
            on: .kafka(bootstrap: bootstrap), topics, Plan(seconds: 300, rate: 100, everyMilliseconds: 60_000, unknownWait: 20_000))
    }

    struct Plan {
        /// For so long it is killed.
        var seconds: Int
        var rate: Int
        /// Work between two kills: at least half of it, and up to one and a half.
        var everyMilliseconds: Int
        /// `MILLRACE_SENDER_UNKNOWN_WAIT_MS`.
        var unknownWait: Int

        init(seconds: Int, rate: Int, everyMilliseconds: Int, unknownWait: Int) {
            let environment = ProcessInfo.processInfo.environment
            func value(_ name: String, _ fallback: Int) -> Int { environment[name].flatMap { Int($0) } ?? fallback }
            self.seconds = value("MILLRACE_SENDER_KILL_SECONDS", seconds)
            self.rate = value("MILLRACE_SENDER_KILL_RATE", rate)
            self.everyMilliseconds = value("MILLRACE_SENDER_KILL_EVERY_MS", everyMilliseconds)
            self.unknownWait = value("MILLRACE_SENDER_UNKNOWN_WAIT_MS", unknownWait)
        }
    }

    private static func run(on location: LogLocation?, _ topics: Topics, _ plan: Plan) async throws {
        try await Pipeline.run(
            on: location, topics: topics, load: .init(customers: 1, messagesPerSecond: 0, messages: 0),
            stages: ["millrace-ingress", "outbound-sender"],
            settings: ["MILLRACE_SENDER_UNKNOWN_WAIT_MS": "\(plan.unknownWait)", "MILLRACE_SENDER_NUMBER_RATE": "1000"],
            simulate: { simulation in
                simulation.faults.cutAnswers = 0.01
                simulation.statuses.readShare = 0
            }
        ) { pipeline in
            let commands = CommandLoad(pipeline, rate: plan.rate)
            let ends = try await CommandEnds(pipeline)
            let feeding = Task { try await commands.feed() }
            let kills = try await killSender(pipeline, ends, plan)
            // Statuses of other messages must go on coming, or nobody may conclude anything from silence.
            let atRisk = commands.written
            try await eventually("what was under way at a kill has ended", within: .seconds(180)) {
                try await ends.read()
                return (0..<atRisk).allSatisfy { ends.isAccepted(commands.id($0)) }
            }
            feeding.cancel()
            _ = await feeding.result
            try await eventually("all has ended", within: .seconds(120)) {
                try await ends.read()
                return (0..<commands.written).allSatisfy { ends.isAccepted(commands.id($0)) }
            }
            let sends = pipeline.simulator.report().sends
            print(
                "sender killed \(kills) times, \(commands.written) commands, \(sends.withheldAnswers) answers withheld,",
                "delivered twice \(sends.commands.moreThanOnce), lost \(commands.written - sends.commands.delivered),",
                "sent again without knowing \(ends.resent)")
            #expect(kills > 2)
            #expect(sends.commands.moreThanOnce == 0, "delivered twice")
            #expect(sends.commands.delivered == commands.written, "lost")
            #expect(ends.others.isEmpty, "ends beside accepted: \(ends.others.prefix(3))")
            #expect(ends.isOneMessageEach)
        }
    }

    /// Kills it after some work each time; answers how often.
    private static func killSender(_ pipeline: Pipeline, _ ends: CommandEnds, _ plan: Plan) async throws -> Int {
        let end = ContinuousClock.now + .seconds(plan.seconds)
        var kills = 0
        while ContinuousClock.now < end {
            let before = pipeline.simulator.report().sends.commands.delivered
            try await eventually("it sends") { pipeline.simulator.report().sends.commands.delivered > before }
            try await Task.sleep(for: .milliseconds(Int.random(in: plan.everyMilliseconds / 2...plan.everyMilliseconds * 3 / 2)))
            if pipeline.fleet.kill("outbound-sender") { kills += 1 }
        }
        return kills
    }
}
