import EventLog
import Foundation
import ProcessorTesting
import WhatsApp

/// The log, topics and group that workers and oracle share.
struct KillScene {
    /// `sqlite:PATH` or `kafka://HOST:PORT,…`.
    let location: String
    /// Name of the processor, first word of the topics.
    let prefix: String

    static let partitions: Int32 = 6
    /// What one worker holds of a partition, at most: small, so that lanes are full now and then.
    static let window = 50

    var input: Topic { Topic("\(prefix).in") }
    var output: Topic { Topic("\(prefix).out") }
    var group: String { "millrace.\(prefix)" }
    var deadLetters: Topic { Topic("dlq.\(group)") }
    var isKafka: Bool { location.hasPrefix("kafka://") }
    var sources: [TopicPartition] { (0..<Self.partitions).map { TopicPartition(input, $0) } }

    func open() async throws -> any Log {
        if isKafka { return try await Backlog.kafka(String(location.dropFirst("kafka://".count))) }
        return try await Backlog.sqlite(String(location.dropFirst("sqlite:".count)))
    }

    func create(on log: any Log) async throws {
        try await log.admin.createTopics(
            [input, output, deadLetters].map { TopicSpec($0, partitions: Self.partitions, retention: .delete(days: 1)) }
                + [Topics().controlSpec])
        try await log.admin.setCommits(
            Dictionary(uniqueKeysWithValues: sources.map { ($0, Commit(offset: 0)) }), of: group)
    }

    /// Everything is behind the group, and nothing waits for another try.
    func isSettled(on log: any Log) async throws -> Bool {
        let ends = try await log.admin.watermarks(of: sources)
        let commits = try await log.admin.commits(of: group, in: sources)
        return sources.allSatisfy { source in
            guard let commit = commits[source], let end = ends[source]?.high else { return false }
            return commit.offset == end && Progress(commit).parked.isEmpty
        }
    }

    /// All records of a topic, partition by partition.
    func records(of topic: Topic, on log: any Log) async throws -> [StoredRecord] {
        var records: [StoredRecord] = []
        let reader = try await log.reader()
        for partition in try await log.admin.partitions(of: topic) {
            let marks = try await log.admin.watermarks(of: [partition])
            guard let held = marks[partition] else { continue }
            var next = held.low
            while next < held.high {
                let found = try await reader.read(partition, from: next, maxRecords: 1_000, waitingUpTo: .seconds(5))
                guard let last = found.last else { break }
                records += found
                next = last.offset + 1
            }
        }
        await reader.close()
        return records
    }
}
