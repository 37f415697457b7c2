import EventLog
import Foundation
import SQLiteLog
import Testing

/// A folder of its own for a test, removed afterwards.
struct Folder {
    let path: String

    init() throws {
        path = NSTemporaryDirectory() + "millrace-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }
    var file: String { path + "/events.db" }
    /// Bytes; 0 when it is not there.
    func size(_ name: String) -> Int {
        (try? FileManager.default.attributesOfItem(atPath: "\(path)/\(name)")[.size] as? Int) ?? 0
    }
    func remove() { try? FileManager.default.removeItem(atPath: path) }
}

/// Runs a test with a fresh folder.
func withFolder(_ body: (Folder) async throws -> Void) async throws {
    let folder = try Folder()
    defer { folder.remove() }
    try await body(folder)
}

/// Runs a test with a log in a fresh folder.
func withLog(
    _ configuration: SQLiteLogConfiguration = .init(), _ body: (SQLiteLog, Folder) async throws -> Void
) async throws {
    try await withFolder { folder in
        let log = try await SQLiteLog.open(path: folder.file, configuration: configuration)
        do {
            try await body(log, folder)
        } catch {
            await log.close()
            throw error
        }
        await log.close()
    }
}

func spec(_ topic: Topic, partitions: Int32 = 1, retention: Retention = Retention()) -> TopicSpec {
    TopicSpec(topic, partitions: partitions, retention: retention, maxRecordBytes: 8 << 20)
}

func record(
    _ topic: Topic, _ key: String?, _ value: String?, partition: Int32? = nil, timestamp: Timestamp? = nil
) -> Record {
    Record(
        topic: topic, partition: partition, key: key.map { Array($0.utf8) }, value: value.map { Array($0.utf8) },
        timestamp: timestamp)
}

extension StoredRecord {
    var text: String? { value.map { String(decoding: $0, as: UTF8.self) } }
}

struct TimedOut: Error {}

/// Polls until the condition holds; generous, since the machine may be slow.
func eventually(_ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw TimedOut() }
        try await Task.sleep(for: .milliseconds(10))
    }
}

/// The code with which a call fails; nil when it does not.
func failure(_ body: () async throws -> Void) async -> LogError.Code? {
    do {
        try await body()
        return nil
    } catch {
        return (error as? LogError)?.code
    }
}

/// A group member whose events are gathered by a task of its own, which starts what is assigned and releases what is
/// revoked.
final class Member: Sendable {
    let consumer: any Consumer
    private let events = Events()
    private let task: Task<Void, Never>

    actor Events {
        var owned: Set<TopicPartition> = []
        var lost: Set<TopicPartition> = []
        var records: [StoredRecord] = []

        func note(_ event: ConsumerEvent) {
            switch event {
            case .assigned(let commits): owned.formUnion(commits.keys)
            case .revoked(let partitions): owned.subtract(partitions)
            case .lost(let partitions):
                owned.subtract(partitions)
                lost.formUnion(partitions)
            case .records(_, let more): records += more
            case .outOfRange: break
            }
        }
    }

    init(_ log: SQLiteLog, group: String, topics: [Topic], releases: Bool = true) async throws {
        let consumer = try await log.consumer(ConsumerConfiguration(group: group, topics: topics))
        self.consumer = consumer
        task = Task { [events] in
            while let event = try? await consumer.next() {
                await events.note(event)
                switch event {
                case .assigned(let commits):
                    try? await consumer.start(at: commits.mapValues { $0?.offset ?? 0 })
                case .revoked(let partitions) where releases: try? await consumer.release(partitions)
                default: break
                }
            }
        }
    }

    var owned: Set<TopicPartition> { get async { await events.owned } }
    var lost: Set<TopicPartition> { get async { await events.lost } }
    var records: [StoredRecord] { get async { await events.records } }

    func leave() async {
        await consumer.close()
        await task.value
    }
}
