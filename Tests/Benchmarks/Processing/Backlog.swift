import ArgumentParser
import EventLog
import Foundation
import KafkaLog
import Logging
import ProcessorTesting
import SQLiteLog
import WhatsApp

/// Records to handle: customers' texts as the ingress stores them, each conversation in turn.
struct Backlog {
    let topic: Topic
    let partitions: Int32
    var conversations = 1_000

    /// One record of each conversation; about 1,000 bytes with its headers.
    private var samples: [Record] {
        let text = String(repeating: "delivery tomorrow please confirm ", count: 7)
        return (0..<conversations).map { number in
            let message = StoredRecord.message(
                text, from: "5511980\(100_000 + number)", id: "wamid.HBgNNTUxMTk4MDEwMDAwMBUCABIYFDNBMDk\(number)")
            return Record(topic: topic, key: message.key, value: message.value, headers: message.headers)
        }
    }

    /// One per cent of the conversations, spread over the partitions: of those that fail for ever a partition may hold no
    /// more than `maxParkedRecords`, or it stands still.
    var onePerCent: Set<[UInt8]> {
        var taken: [Int32: Int] = [:]
        let count = conversations / 100
        var some: Set<[UInt8]> = []
        for key in samples.compactMap(\.key) where some.count < count {
            let partition = Murmur2.partition(of: key, partitions: partitions)
            guard taken[partition, default: 0] < (count + Int(partitions) - 1) / Int(partitions) else { continue }
            taken[partition, default: 0] += 1
            some.insert(key)
        }
        return some
    }

    func create(on log: any Log) async throws {
        try await log.admin.createTopics([TopicSpec(topic, partitions: partitions, retention: .delete(days: 1))])
    }

    /// Appends `count` records; a few calls are under way at once, as from an ingress.
    func fill(_ count: Int, on log: any Log) async throws {
        let samples = samples
        try await withThrowingTaskGroup(of: Void.self) { group in
            var written = 0
            var waiting = 0
            while written < count {
                let start = written % samples.count
                let batch = Array(samples[start..<min(samples.count, start + count - written)])
                written += batch.count
                if waiting == 4 { try await group.next() } else { waiting += 1 }
                group.addTask { _ = try await log.produce(batch) }
            }
            try await group.waitForAll()
        }
    }

    static func silentLogger() -> Logger { Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() } }

    static func sqlite(_ path: String) async throws -> any Log {
        var configuration = SQLiteLogConfiguration()
        configuration.logger = silentLogger()
        return try await SQLiteLog.open(path: path, configuration: configuration)
    }

    static func kafka(_ bootstrap: String) async throws -> any Log {
        var configuration = KafkaLogConfiguration()
        configuration.logger = silentLogger()
        configuration.replicationFactor = min(3, bootstrap.split(separator: ",").count)
        return try await KafkaLog.open(bootstrap: bootstrap, configuration: configuration)
    }
}

/// Fills the embedded log from a process of its own, so that the memory of the one under measurement is its own.
struct FillLog: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "fill-log", shouldDisplay: false)
    @Option var path: String
    @Option var topic: String
    @Option var partitions: Int32
    @Option var records: Int

    func run() async throws {
        let log = try await Backlog.sqlite(path)
        try await Backlog(topic: Topic(topic), partitions: partitions).fill(records, on: log)
        await log.close()
    }
}
