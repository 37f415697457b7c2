import EventLog
import Foundation
import SQLiteLog
import Synchronization
import Testing
import WhatsApp

@testable import outbound_sender

/// The archive on a real log.
@Suite struct LogArchiveTests {
    private static let partition: Int32 = 3

    private func withLog(_ body: (any Log) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("archive-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var configuration = SQLiteLogConfiguration()
        // Retention would take records of then.
        configuration.now = { Sample.now }
        let log = try await SQLiteLog.open(path: folder + "/events.db", configuration: configuration)
        try await log.admin.createTopics(Topics(partitions: 4).specs(groups: []))
        let outcome: Result<Void, any Error>
        do { outcome = .success(try await body(log)) } catch { outcome = .failure(error) }
        await log.close()
        try outcome.get()
    }

    private func store(_ statuses: [StoredRecord], _ log: any Log) async throws {
        try await log.produce(
            statuses.map { status in
                Record(
                    topic: Sample.topics.statuses, partition: Self.partition, key: status.key, value: status.value,
                    headers: status.headers, timestamp: status.timestamp)
            })
    }

    private func others(_ count: Int) throws -> [StoredRecord] {
        let one = try Sample.status("sent", of: nil, at: Sample.now)
        return Array(repeating: one, count: count)
    }

    private func accepted(_ id: String, at time: Timestamp) throws -> Record {
        let result = OutboundResult(
            of: try Sample.command(id), outcome: .accepted, messageID: "wamid.\(id)", attempts: 1, firstAttemptAt: time,
            finishedAt: time)
        var record = result.record(topic: Sample.topics.outboundResults)
        record.partition = Self.partition
        return record
    }

    @Test func resultsOfEarlierOwnersAreKnownUpToTheTakeOver() async throws {
        try await withLog { log in
            let commands = (0..<2_500).map { "c\($0)" }
            for (index, id) in commands.enumerated() {
                try await log.produce([accepted(id, at: Sample.now + .seconds(Double(index)))])
            }
            let archive = LogArchive(log: log, statuses: Sample.topics.statuses, results: Sample.topics.outboundResults)
            func find(_ id: String, since: Double = 0) async throws -> String? {
                try await archive.acceptance(of: id, in: Self.partition, since: Sample.now + .seconds(since))?.messageID
            }
            // A command of now is not looked for among those of half an hour ago, one of then is.
            #expect(try await find("c0", since: 2_400) == nil)
            #expect(try await find("c2400", since: 2_400) == "wamid.c2400")
            #expect(try await find("c0") == "wamid.c0")
            #expect(try await find("c1300") == "wamid.c1300")
            #expect(try await find("other") == nil)
            #expect(try await archive.acceptance(of: "c0", in: 0, since: Sample.now) == nil)
            // What others end while the partition is theirs is known when it is ours again.
            try await log.produce([accepted("late", at: Sample.now)])
            #expect(try await find("late") == nil)
            archive.partitionsChanged([])
            #expect(try await find("late") == "wamid.late")
        }
    }

    /// A result that cannot be read is not one that does not exist: who took it for that would send again.
    @Test func aResultThatCannotBeReadIsAnErrorAndNotAbsent() async throws {
        try await withLog { base in
            try await base.produce([accepted("c0", at: Sample.now)])
            let log = LogOutOfReach(base)
            let archive = LogArchive(log: log, statuses: Sample.topics.statuses, results: Sample.topics.outboundResults)
            func find() async throws -> String? {
                try await archive.acceptance(of: "c0", in: Self.partition, since: Sample.now)?.messageID
            }
            #expect(try await find() == "wamid.c0")
            log.isAway.store(true, ordering: .relaxed)
            await #expect(throws: LogError.self) { try await find() }
            log.isAway.store(false, ordering: .relaxed)
            #expect(try await find() == "wamid.c0")
        }
    }

    @Test func findsWhatEveryConsumerHasLongPassed() async throws {
        try await withLog { log in
            let command = try Sample.command()
            try await store(try others(2_500), log)
            try await store([try Sample.status("sent", of: command, message: "wamid.1", at: Sample.now)], log)
            try await store(try others(2_500), log)
            let archive = LogArchive(log: log, statuses: Sample.topics.statuses, results: Sample.topics.outboundResults)
            let found = try await archive.evidence(of: command.id, in: Self.partition, since: Sample.now)
            #expect(found?.messageID == "wamid.1")
            #expect(try await archive.evidence(of: command.id, in: 0, since: Sample.now) == nil)
            #expect(try await archive.evidence(of: "other", in: Self.partition, since: Sample.now) == nil)
        }
    }

    @Test func askedAgainItReadsWhatHasComeSince() async throws {
        try await withLog { log in
            let command = try Sample.command()
            try await store(try others(10), log)
            let archive = LogArchive(log: log, statuses: Sample.topics.statuses, results: Sample.topics.outboundResults)
            #expect(try await archive.evidence(of: command.id, in: Self.partition, since: Sample.now) == nil)
            try await store([try Sample.status("delivered", of: command, message: "wamid.2", at: Sample.now)], log)
            #expect(
                try await archive.evidence(of: command.id, in: Self.partition, since: Sample.now)?.messageID == "wamid.2")
            await archive.forget([command.id])
            #expect(
                try await archive.evidence(of: command.id, in: Self.partition, since: Sample.now)?.messageID == "wamid.2")
        }
    }

    @Test func manyWhoAskAtOnceEachGetTheirOwn() async throws {
        try await withLog { log in
            let commands = try (0..<200).map { try Sample.command("c\($0)") }
            try await store(
                try commands.enumerated().filter { $0.offset % 2 == 0 }.map { number, command in
                    try Sample.status("sent", of: command, message: "wamid.\(number)", at: Sample.now)
                }, log)
            let archive = LogArchive(log: log, statuses: Sample.topics.statuses, results: Sample.topics.outboundResults)
            let found = try await withThrowingTaskGroup(of: (Int, String?).self) { group in
                for (number, command) in commands.enumerated() {
                    group.addTask {
                        let evidence = try await archive.evidence(
                            of: command.id, in: Self.partition, since: Sample.now)
                        return (number, evidence?.messageID)
                    }
                }
                return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
            }
            #expect(found == Dictionary(uniqueKeysWithValues: stride(from: 0, to: 200, by: 2).map { ($0, "wamid.\($0)") }))
        }
    }

    /// WhatsApp's clock may be behind ours: its status then looks older than the command.
    @Test func clocksMayDiffer() async throws {
        try await withLog { log in
            let command = try Sample.command()
            let early = Sample.now - .seconds(500)
            try await store([try Sample.status("sent", of: command, message: "wamid.1", at: early)], log)
            try await store(try others(3_000), log)
            let archive = LogArchive(log: log, statuses: Sample.topics.statuses, results: Sample.topics.outboundResults)
            let found = try await archive.evidence(of: command.id, in: Self.partition, since: Sample.now)
            #expect(found?.messageID == "wamid.1")
        }
    }

    @Test func logThatCannotBeReadIsNoEvidenceOfAnything() async throws {
        try await withLog { log in
            let archive = LogArchive(log: log, statuses: "missing", results: "missing")
            await #expect(throws: LogError.self) {
                _ = try await archive.evidence(of: "c", in: 0, since: Sample.now)
            }
        }
    }

    @Test func recordOfACommandIsReadFromWhereItLies() async throws {
        try await withLog { log in
            let command = try Sample.command()
            let positions = try await log.produce([command.record(topic: Sample.topics.outbound)])
            let archive = LogArchive(log: log, statuses: Sample.topics.statuses, results: Sample.topics.outboundResults)
            let record = try #require(try await archive.record(at: positions[0]))
            #expect(try OutboundCommand(record).id == command.id)
            #expect(try await archive.record(at: RecordPosition(positions[0].partition, 99)) == nil)
        }
    }
}

/// Whose readers fail while it is away.
private final class LogOutOfReach: Log, Reader {
    let isAway = Atomic(false)
    private let base: any Log

    init(_ base: any Log) { self.base = base }

    var producer: any Producer { base.producer }
    var admin: any Admin { base.admin }

    func consumer(_ configuration: ConsumerConfiguration) async throws(LogError) -> any Consumer {
        try await base.consumer(configuration)
    }
    func reader() async throws(LogError) -> any Reader { self }

    func read(
        _ partition: TopicPartition, from offset: Offset, maxRecords: Int, waitingUpTo wait: Duration
    ) async throws(LogError) -> [StoredRecord] {
        if isAway.load(ordering: .relaxed) { throw LogError(.unavailable, "away") }
        let reader = try await base.reader()
        defer { Task { await reader.close() } }
        return try await reader.read(partition, from: offset, maxRecords: maxRecords, waitingUpTo: wait)
    }

    func close() async {}
}
