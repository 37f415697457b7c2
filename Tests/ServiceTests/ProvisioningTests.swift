import EventLog
import Foundation
import Processing
import SQLiteLog
import Testing
import WhatsApp

@testable import Service

@Suite struct ProvisioningTests {
    private struct Sentiment: Processor {
        let name = "sentiment"
        let inputs: [Topic]
        let outputs: [Topic] = ["sentiment.v1"]
        func handle(_ record: StoredRecord, _ context: HandlerContext) async throws -> [Record] { [] }
    }

    private func withLog(_ body: (SQLiteLog, Topics) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "millrace-birth-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let log = try await SQLiteLog.open(path: "\(folder)/events.db")
        do {
            try await body(log, Topics(partitions: 12))
        } catch {
            await log.close()
            throw error
        }
        await log.close()
    }

    @Test func aProcessorIsBornWithItsTopicsAndItsPlaceInTheLog() async throws {
        try await withLog { log, topics in
            // Fewer partitions than the settings say: the processor's topics follow the log.
            try await log.admin.createTopics([TopicSpec(topics.messages, partitions: 2, retention: .delete(days: 1))])
            let first = TopicPartition(topics.messages, 0)
            let second = TopicPartition(topics.messages, 1)
            try await log.produce((0..<3).map { _ in Record(topic: topics.messages, partition: 0, key: nil, value: []) })
            let processor = Sentiment(inputs: [topics.messages])
            try await Provisioning.bear(processor, from: .end, log, topics)
            let held = Dictionary(uniqueKeysWithValues: try await log.admin.topics().map { ($0.topic, $0.partitions) })
            #expect(held["sentiment.v1"] == 2 && held["dlq.millrace.sentiment"] == 2 && held["state.millrace.sentiment"] == 2)
            let commits = try await log.admin.commits(of: "millrace.sentiment", in: [first, second])
            #expect(commits == [first: Commit(offset: 3), second: Commit(offset: 0)])
            // Once born it keeps its place.
            try await log.produce([Record(topic: topics.messages, partition: 0, key: nil, value: [])])
            try await Provisioning.bear(processor, from: .beginning, log, topics)
            #expect(try await log.admin.commits(of: "millrace.sentiment", in: [first])[first] == Commit(offset: 3))
        }
    }

    /// Each sees its own topics, groups, dead letters, state and orders, whatever the other does.
    @Test func installationsWithDifferentPrefixesShareALogAndNothingElse() async throws {
        try await withLog { log, topics in
            let acme = Topics(prefix: "acme", partitions: 12)
            try await Provisioning.provision(log, topics: topics)
            let before = Set(try await log.admin.topics().map(\.topic))
            try await Provisioning.provision(log, topics: acme)
            let added = Set(try await log.admin.topics().map(\.topic)).subtracting(before)
            #expect(added.count == before.count)
            #expect(added.isSuperset(of: ["dlq.millrace.acme.analytics", "state.millrace.acme.analytics", "millrace.acme.control.v1"]))
            #expect(before.isSuperset(of: ["dlq.millrace.analytics", "state.millrace.analytics", "millrace.control.v1"]))
            let partition = TopicPartition(acme.messages, 0)
            #expect(try await log.admin.commits(of: "millrace.acme.analytics", in: [partition]).count == 1)
            #expect(try await log.admin.commits(of: "millrace.analytics", in: [partition]).isEmpty)
            try await Provisioning.bear(Sentiment(inputs: [acme.messages]), from: .end, log, acme)
            #expect(try await log.admin.topics().contains { $0.topic == "dlq.millrace.acme.sentiment" })
            #expect(try await log.admin.commits(of: "millrace.acme.sentiment", in: [partition]).count == 1)
        }
    }

    @Test func anInputThatIsNotThereIsNamed() async throws {
        try await withLog { log, topics in
            do {
                try await Provisioning.bear(Sentiment(inputs: ["nowhere.v1"]), from: .beginning, log, topics)
                Issue.record("a processor was born without its input")
            } catch let error as LogError {
                #expect(error.code == .unknownTopic && error.detail == "nowhere.v1")
            }
            let held = try await log.admin.topics()
            #expect(held.isEmpty)
        }
    }
}
