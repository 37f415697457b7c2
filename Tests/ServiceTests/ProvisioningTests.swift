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
