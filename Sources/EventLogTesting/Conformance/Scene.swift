import EventLog
import Synchronization

/// One case's surroundings: names that nobody else uses, so that cases run side by side on a shared log, and clients
/// that are closed when the case ends.
final class Scene: Sendable {
    let subject: any ConformanceSubject
    private let id: String
    private let opened = Mutex<(logs: [any Log], members: [Member])>(([], []))

    init(_ subject: any ConformanceSubject, _ name: String) {
        self.subject = subject
        id = "conformance.\(name).\(String(UInt64.random(in: 0...UInt64.max), radix: 36))"
    }

    /// A client of its own, as another process would have.
    func open(queueBytes: Int? = nil) async throws -> any Log {
        let log = try await subject.open(queueBytes: queueBytes)
        opened.withLock { $0.logs.append(log) }
        return log
    }

    func topic(
        _ label: String = "in", partitions: Int32 = 1, retention: Retention = .delete(days: 1),
        maxRecordBytes: Int = 1 << 20
    ) async throws -> Topic {
        let topic = freeTopic(label)
        try await subject.createTopic(
            TopicSpec(topic, partitions: partitions, retention: retention, maxRecordBytes: maxRecordBytes))
        return topic
    }

    /// A topic name that is not taken.
    func freeTopic(_ label: String) -> Topic { Topic("\(id).\(label)") }

    var group: String { "\(id).group" }

    /// Joins the case's group; `pump` the member or step it.
    func member(
        _ log: any Log, _ topics: [Topic], _ habits: Member.Habits = .init(),
        configure: (inout ConsumerConfiguration) -> Void = { _ in }
    ) async throws -> Member {
        var configuration = ConsumerConfiguration(
            group: group, topics: topics, sessionTimeout: subject.sessionTimeout)
        configure(&configuration)
        let member = Member(try await log.consumer(configuration), habits)
        opened.withLock { $0.members.append(member) }
        return member
    }

    /// Everything a partition holds now.
    func readAll(_ log: any Log, _ partition: TopicPartition) async throws -> [StoredRecord] {
        let held = try await watermarks(log, partition)
        let reader = try await log.reader()
        var records: [StoredRecord] = []
        var next = held.low
        while next < held.high {
            // Compaction may have left nothing up to the end; then there is nothing to wait for.
            let more = try await reader.read(partition, from: next, maxRecords: 1_000, waitingUpTo: .seconds(2))
            guard let last = more.last else { break }
            records += more
            next = last.offset + 1
        }
        await reader.close()
        return records
    }

    /// Everything a topic holds now, partition by partition.
    func readAll(_ log: any Log, _ topic: Topic) async throws -> [StoredRecord] {
        var records: [StoredRecord] = []
        for partition in try await log.admin.partitions(of: topic) { records += try await readAll(log, partition) }
        return records
    }

    func watermarks(_ log: any Log, _ partition: TopicPartition) async throws -> Watermarks {
        try requireValue(try await log.admin.watermarks(of: [partition])[partition], "watermarks of \(partition)")
    }

    func commit(_ log: any Log, _ partition: TopicPartition) async throws -> Commit? {
        try await log.admin.commits(of: group, in: [partition])[partition]
    }

    func close() async {
        let (logs, members) = opened.withLock { $0 }
        for member in members { await member.close() }
        for log in logs { await log.close() }
    }
}

func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

/// `count` records for one partition, their number as value.
func numbered(_ range: Range<Int>, for topic: Topic, partition: Int32? = 0, padding: Int = 0) -> [Record] {
    let pad = [UInt8](repeating: UInt8(ascii: "."), count: padding)
    return range.map { Record(topic: topic, partition: partition, key: bytes("k"), value: bytes("\($0)") + pad) }
}

extension Producer {
    /// `produce` with what a caller does when the queue is full: a little later, again.
    func producePatiently(_ records: [Record]) async throws {
        while true {
            do {
                try await produce(records)
                return
            } catch where error.code == .queueFull {
                try await Task.sleep(for: .milliseconds(10))
            }
        }
    }
}
