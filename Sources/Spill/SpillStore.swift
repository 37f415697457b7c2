import EventLog
import Foundation
import Logging
import SQLiteLog

/// The spill on the disk: a `SQLiteLog` of its own, `spill.db` in the given directory.
///
/// It has the log's topics under their names, each with `lanesPerTopic` partitions, one a lane, so that a spilled record
/// is the record itself and its offset is its place in the queue. Refused records lie on `rejectedTopic`.
final class SpillStore: Sendable {
    /// Lanes need not be the log's partitions: order is promised per key, and a key has one lane. So partition counts
    /// need not be known, and a log that is down when the process starts is no hindrance. 60 is a multiple of most
    /// counts in use, and then a lane lies in one partition and shares its fate with no other.
    static let lanesPerTopic: Int32 = 60
    static let rejectedTopic: Topic = "millrace.spill.rejected"
    static let rejected = TopicPartition(rejectedTopic, 0)

    let lanes: [TopicPartition]
    private let firstLane: [(topic: Topic, lane: Int)]
    let log: SQLiteLog
    let reader: any Reader
    private let numbers: [TopicPartition: Int]
    private let disk: SpillDisk

    static func path(in directory: String) -> String { "\(directory)/spill.db" }

    /// Makes what is missing; takes over what another process left. `.unavailable` while another process uses it.
    init(directory: String, topics: [Topic], _ spill: SpillConfiguration) async throws(LogError) {
        var configuration = SQLiteLogConfiguration()
        configuration.isOwner = true
        configuration.logger = spill.logger
        // The drain has no other use for room than this, so it is kept small.
        configuration.maxWALBytes = 8 << 20
        disk = SpillDisk(directory, spill)
        disk.prepare()
        log = try await SQLiteLog.open(path: Self.path(in: directory), configuration: configuration)
        do throws(LogError) {
            let specs = topics.map { Self.spec($0, partitions: Self.lanesPerTopic) }
            try await log.admin.createTopics(specs + [Self.spec(Self.rejectedTopic, partitions: 1)])
            let all = try await log.admin.topics().filter { $0.topic != Self.rejectedTopic }
            firstLane = all.enumerated().map { ($1.topic, $0 * Int(Self.lanesPerTopic)) }
            lanes = all.flatMap { topic in (0..<topic.partitions).map { TopicPartition(topic.topic, $0) } }
            numbers = Dictionary(uniqueKeysWithValues: lanes.enumerated().map { ($1, $0) })
            reader = try await log.reader()
        } catch {
            await log.close()
            throw error
        }
    }

    private static func spec(_ topic: Topic, partitions: Int32) -> TopicSpec {
        TopicSpec(topic, partitions: partitions, retention: Retention(), maxRecordBytes: 64 << 20)
    }

    /// Nil for a topic that the spill does not know.
    func lane(of record: Record) -> Int? {
        for (topic, lane) in firstLane where topic == record.topic {
            guard let key = record.key else { return lane }
            return lane + Int(Murmur2.partition(of: key, partitions: Self.lanesPerTopic))
        }
        return nil
    }

    func held() async throws(LogError) -> (ranges: [Range<Offset>], records: Int64, bytes: Int64) {
        let sizes = try await log.sizes()
        let ranges = lanes.map { lane in sizes[lane].map { $0.watermarks.low..<$0.watermarks.high } ?? 0..<0 }
        return (
            ranges, sizes.values.reduce(0) { $0 + $1.watermarks.high - $1.watermarks.low },
            sizes.values.reduce(0) { $0 + $1.bytes }
        )
    }

    /// Appends in the order of the calls; `completion` runs on the store's thread, or at once when it refuses.
    func append(
        _ records: [Record], to lane: Int, completion: @escaping @Sendable (Result<Range<Offset>, LogError>) -> Void
    ) {
        let partition = lanes[lane].partition
        let placed = records.map { record in
            var record = record
            record.partition = partition
            return record
        }
        log.producer.send(placed) { result in
            completion(result.map { $0[0].offset..<$0[0].offset + Offset($0.count) })
        }
    }

    /// Records from `offset` on, as they were given, and the offset after them.
    func read(_ lane: Int, from offset: Offset, maxRecords: Int) async throws(LogError) -> ([Record], end: Offset) {
        let stored = try await reader.read(lanes[lane], from: offset, maxRecords: maxRecords, waitingUpTo: .zero)
        guard let last = stored.last else { throw LogError(.storage, "\(lanes[lane]) lacks \(offset)") }
        let records = stored.map { record in
            Record(
                topic: record.topic, key: record.key, value: record.value, headers: record.headers,
                timestamp: record.timestamp)
        }
        return (records, last.offset + 1)
    }

    /// Removes what lies below, or the first of it: answers where the lanes begin now, how many bytes that freed, and
    /// what is left to remove.
    func removeSome(
        _ trims: [Int: Offset]
    ) async throws(LogError) -> (low: [Int: Offset], bytes: Int64, rest: [Int: Offset]) {
        let step = try await log.deleteSomeRecords(
            below: Dictionary(uniqueKeysWithValues: trims.map { (lanes[$0], $1) }))
        return (numbered(step.low), step.bytes, numbered(step.rest))
    }

    private func numbered(_ offsets: [TopicPartition: Offset]) -> [Int: Offset] {
        Dictionary(uniqueKeysWithValues: offsets.compactMap { lane, offset in numbers[lane].map { ($0, offset) } })
    }

    /// Keeps a record that the log refuses for good, with the reason in its headers.
    func reject(_ record: Record, _ reason: LogError) async throws(LogError) {
        var record = record
        record.headers.append("_spill.rejected.topic", record.topic.name)
        record.headers.append("_spill.rejected.error", reason.code.name)
        record.headers.append("_spill.rejected.at", "\(Timestamp.now.milliseconds)")
        record.topic = Self.rejectedTopic
        record.partition = 0
        try await log.producer.produce([record])
    }

    /// What the disk has for the spill, in bytes: what is free, and what the spill's own file has and does not use. When
    /// others have taken most of the disk, that counts no more, since the write-ahead log needs room of its own.
    func lookAtDisk() async -> Int64 {
        let free = disk.look()
        if free < disk.minFreeBytes / 2 { return free }
        do throws(LogError) {
            return free + (try await log.unusedBytes())
        } catch {
            return free
        }
    }

    /// For when nothing can be written.
    func giveUpReserve() { disk.giveUpReserve() }

    /// Gives the disk back what the file does not use. False when it has to be tried again.
    func shrink() async -> Bool {
        do throws(LogError) {
            return try await log.shrink()
        } catch {
            return false
        }
    }

    func close() async {
        await reader.close()
        await log.close()
    }
}
