import EventLog
import Foundation
import SQLiteLog
import Testing

/// An embedded log in a folder of its own, with topics `in` and the dead letters of the processor `test`.
struct LogWorld: Sendable {
    let log: SQLiteLog
    let folder: String
    static let group = "millrace.test"
    static let letters: Topic = "dlq.millrace.test"
    static let written = Timestamp(seconds: 1_790_000_000)

    static func with(partitions: Int32 = 1, _ body: (LogWorld) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "millrace-tools-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let world = LogWorld(log: try await open(folder), folder: folder)
        try await world.log.admin.createTopics(
            ["in", letters].map { TopicSpec($0, partitions: partitions, retention: .delete(days: 30), maxRecordBytes: 10_000) })
        do {
            try await body(world)
        } catch {
            await world.log.close()
            throw error
        }
        await world.log.close()
    }

    /// The log as another process has it.
    static func open(_ folder: String) async throws -> SQLiteLog {
        var configuration = SQLiteLogConfiguration()
        configuration.synchronous = .normal
        configuration.lease = .seconds(1)
        return try await SQLiteLog.open(path: folder + "/events.db", configuration: configuration)
    }

    /// Everything a topic holds, partition by partition.
    func read(_ topic: Topic) async throws -> [StoredRecord] {
        var records: [StoredRecord] = []
        let reader = try await log.reader()
        for partition in try await log.admin.partitions(of: topic) {
            records += try await reader.read(partition, from: 0, maxRecords: 100_000, waitingUpTo: .zero)
        }
        await reader.close()
        return records
    }

    func values(_ topic: Topic) async throws -> [String] { try await read(topic).map(\.valueText) }
}

extension StoredRecord {
    var valueText: String { value.map { String(decoding: $0, as: UTF8.self) } ?? "-" }
    var keyText: String { key.map { String(decoding: $0, as: UTF8.self) } ?? "-" }
}
