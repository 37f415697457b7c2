import EventLog
import Foundation
import KafkaLog
import Service
import Simulator
import Testing
import WhatsApp

/// The promise of the whole: what was answered 200 is on the log, and what a rule answers gets its reply, whoever dies.
///
/// The load is small by default, for a debug build on a busy machine. `MILLRACE_KILL_RATE` (messages per second),
/// `MILLRACE_KILL_MESSAGES`, `MILLRACE_KILL_CUSTOMERS` and `MILLRACE_BIN` (a release build) make it the real thing.
@Suite(.serialized) struct KillTests {
    /// What the sender was killed over must not wait for minutes.
    private static let settings = ["MILLRACE_SENDER_UNKNOWN_WAIT_MS": "3000"]

    @Test func everyMessageIsAnsweredThoughStagesAreKilledAgainAndAgain() async throws {
        try await Pipeline.run(load: .fromEnvironment(), settings: Self.settings) { pipeline in
            try await pipeline.killStagesUntilAllIsWritten()
            try await pipeline.waitUntilSettled()
            try await pipeline.checkBooks()
        }
    }

    /// On librdkafka's mock brokers, or on the real ones that `MILLRACE_TEST_KAFKA=host:port,…` names; those may be
    /// killed meanwhile, too.
    @Test func everyMessageIsAnsweredOnTheKafkaProtocol() async throws {
        let real = ProcessInfo.processInfo.environment["MILLRACE_TEST_KAFKA"]
        // Real brokers remember other runs.
        let topics = Topics(prefix: real == nil ? "whatsapp" : "kill-\(UUID().uuidString.prefix(8))", partitions: 12)
        let cluster = real == nil ? try MockKafka(brokers: 1) : nil
        for spec in topics.specs(groups: Provisioning.builtInInputs(topics).map { topics.group(of: $0.processor) }) {
            try cluster?.createTopic(spec.topic, partitions: spec.partitions)
        }
        let location = LogLocation.kafka(bootstrap: real ?? cluster!.bootstrap)
        try await Pipeline.run(
            on: location, topics: topics, load: .fromEnvironment(messages: 200), settings: Self.settings
        ) { pipeline in
            try await pipeline.killStagesUntilAllIsWritten()
            try await pipeline.waitUntilSettled()
            try await pipeline.checkBooks()
        }
    }
}

extension Pipeline.Load {
    static func fromEnvironment(messages fallback: Int = 400) -> Pipeline.Load {
        let environment = ProcessInfo.processInfo.environment
        return Pipeline.Load(
            customers: environment["MILLRACE_KILL_CUSTOMERS"].flatMap { Int($0) } ?? 200,
            messagesPerSecond: environment["MILLRACE_KILL_RATE"].flatMap { Double($0) } ?? 40,
            messages: environment["MILLRACE_KILL_MESSAGES"].flatMap { Int($0) } ?? fallback)
    }
}

extension Pipeline {
    /// One stage after the other, as long as customers write; each at least once.
    func killStagesUntilAllIsWritten() async throws {
        try await eventually("the first message comes through") { simulator.report().customers.replied > 0 }
        var turn = 0
        while simulator.report().customers.written + simulator.report().customers.heldBack < limit || turn < 2 * Fleet.stages.count {
            if fleet.kill(Fleet.stages[turn % Fleet.stages.count]) { turn += 1 }
            try await Task.sleep(for: .milliseconds(700))
        }
    }

    /// Until the simulator has delivered everything and every expected reply has come.
    ///
    /// Somebody goes on writing until then: whether a message was sent that the sender was killed over shows while
    /// statuses of other messages arrive.
    func waitUntilSettled() async throws {
        try await eventually("all replies are there", within: .seconds(240)) {
            // Everybody has a cap of replies.
            simulator.write("hello", from: "1555998\(Int.random(in: 1_000..<9_999))", expectsReply: false)
            return simulator.report().customers.unanswered == 0
        }
        try await eventually("all webhooks are acknowledged and all replies are there", within: .seconds(240)) {
            let report = simulator.report()
            return report.webhooks.waiting == 0 && report.customers.unanswered == 0
                && report.webhooks.events == report.webhooks.acknowledged
        }
    }

    /// Compares the simulator's books with the log.
    func checkBooks() async throws {
        let report = simulator.report()
        #expect(report.customers.expectingReply > 0)
        #expect(report.customers.unanswered == 0, "unanswered: \(report.customers.unansweredIDs.prefix(5))")
        #expect(report.webhooks.abandoned == 0)
        let messages = try await identities(on: topics.messages)
        let statuses = try await identities(on: topics.statuses)
        #expect(messages.count == report.customers.acknowledged)
        #expect(messages.count + statuses.count == report.webhooks.acknowledged)
        let dead = try await identities(on: Topics.deadLetters(group: topics.group(of: "auto-responder")))
            .union(identities(on: Topics.deadLetters(group: topics.group(of: "outbound-sender"))))
        #expect(dead.isEmpty)
    }

    /// Distinct events on a topic; copies share source and id.
    private func identities(on topic: Topic) async throws -> Set<String> {
        var found: Set<String> = []
        let reader = try await log.reader()
        for partition in try await log.admin.partitions(of: topic) {
            let marks = try await log.admin.watermarks(of: [partition])[partition]!
            var next = marks.low
            while next < marks.high {
                let records = try await reader.read(partition, from: next, maxRecords: 1_000, waitingUpTo: .seconds(5))
                guard let last = records.last else { break }
                for record in records {
                    let event = try CloudEvent(record.headers)
                    found.insert("\(event.source)#\(event.id)")
                }
                next = last.offset + 1
            }
        }
        await reader.close()
        return found
    }
}
