import EventLog
import Foundation
import Testing

@testable import SQLiteLog

/// What several processes, or the death of one, do to the file.
@Suite struct ProcessesTests {
    @Test func whatWasAnsweredSurvivesAKill() async throws {
        try await withFolder { folder in
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.file as String] in
                try await produceUntilKilled(path)
            }
            let answered = try String(contentsOfFile: folder.file + ".answered", encoding: .utf8).split(separator: "\n")
            #expect(answered.count >= 61)
            let log = try await SQLiteLog.open(path: folder.file)
            let reader = try await log.reader()
            var found: [String] = []
            for (partition, marks) in try await log.admin.watermarks(of: log.admin.partitions(of: "t")) {
                let records = try await reader.read(partition, from: 0, maxRecords: 100_000, waitingUpTo: .zero)
                #expect(records.map(\.offset) == Array(0..<marks.high))
                found += records.compactMap(\.text)
            }
            #expect(Set(answered.map(String.init)).isSubset(of: found))
            #expect(Set(found).count == found.count)
            await log.close()
        }
    }

    @Test func aKilledMembersPartitionsAreTakenOver() async throws {
        try await withLog { log, folder in
            try await log.admin.createTopics([spec("t", partitions: 4)])
            let survivor = try await Member(log, group: "g", topics: ["t"])
            try await eventually { await survivor.owned.count == 4 }
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = folder.file as String] in
                let log = try await SQLiteLog.open(path: path)
                let victim = try await Member(log, group: "g", topics: ["t"])
                try await eventually { await victim.owned.count == 2 }
                kill(getpid(), SIGKILL)
            }
            try await eventually { await survivor.owned.count == 4 }
            await survivor.leave()
        }
    }

    @Test func aFullDiskFailsTheCallAndAppendsNothing() async throws {
        try await withFolder { folder in
            await #expect(processExitsWith: .success) { [path = folder.file as String] in
                let log = try await SQLiteLog.open(path: path)
                try await log.admin.createTopics([spec("t")])
                signal(SIGXFSZ, SIG_IGN)
                var limit = rlimit(rlim_cur: 1 << 20, rlim_max: rlim_t.max)
                setrlimit(__rlimit_resource_t(1), &limit)
                let large = record("t", "k", String(repeating: "v", count: 4 << 20))
                let code = await failure { try await log.produce([large]) }
                #expect(code == .storage)
                limit.rlim_cur = rlim_t.max
                setrlimit(__rlimit_resource_t(1), &limit)
                let positions = try await log.produce([large])
                #expect(positions.map(\.offset) == [0])
                await log.close()
            }
        }
    }

    @Test func appendsOfTwoLogsInterleaveWithoutGaps() async throws {
        try await withLog { log, folder in
            try await log.admin.createTopics([spec("t", partitions: 2)])
            let other = try await SQLiteLog.open(path: folder.file)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for sender in 0..<8 {
                    group.addTask {
                        for number in 0..<50 {
                            try await (sender % 2 == 0 ? log : other).produce([
                                record("t", "\(sender)", "\(number)"), record("t", "\(sender)", "\(number)"),
                            ])
                        }
                    }
                }
                try await group.waitForAll()
            }
            let reader = try await log.reader()
            var last: [[UInt8]?: Int] = [:]
            var total = 0
            for partition in try await log.admin.partitions(of: "t") {
                let records = try await reader.read(partition, from: 0, maxRecords: 10_000, waitingUpTo: .zero)
                #expect(records.map(\.offset) == Array(0..<Offset(records.count)))
                total += records.count
                for record in records {
                    let number = try #require(record.text.flatMap { Int($0) })
                    #expect(number >= last[record.key] ?? 0)
                    last[record.key] = number
                }
            }
            #expect(total == 800)
            await other.close()
        }
    }

    @Test func theWriteAheadLogStaysBoundedUnderLoadAndWithReaders() async throws {
        var configuration = SQLiteLogConfiguration()
        configuration.maxWALBytes = 512 << 10
        configuration.maxCommitRecords = 16
        try await withLog(configuration) { log, folder in
            try await log.admin.createTopics([spec("t")])
            let member = try await Member(log, group: "g", topics: ["t"])
            let value = String(repeating: "v", count: 4_000)
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<16 {
                    group.addTask { for _ in 0..<400 { try await log.produce([record("t", "k", value)]) } }
                }
                try await group.waitForAll()
            }
            // The file never shrinks below what it once was, so this is its longest. 27 MB were written.
            let size = try FileManager.default.attributesOfItem(atPath: folder.file + "-wal")[.size] as? Int
            #expect(try #require(size) < 6 << 20)
            try await eventually { await member.records.count == 6_400 }
            await member.leave()
        }
    }

    @Test func aFileOfAnotherProgramOrVersionIsRefused() async throws {
        try await withFolder { folder in
            let store = try Store(path: folder.file, .init())
            defer { try? store.close() }
            for (pragma, value) in [("user_version", 99), ("application_id", 1)] {
                try store.write { try $0.execute(sql: "PRAGMA \(pragma) = \(value)") }
                let code = await failure { _ = try await SQLiteLog.open(path: folder.file) }
                #expect(code == .storage)
            }
        }
    }
}

/// Eight senders append, and note in a file what was answered; the process ends in the midst of it.
private func produceUntilKilled(_ path: String) async throws {
    let log = try await SQLiteLog.open(path: path)
    try await log.admin.createTopics([spec("t", partitions: 3)])
    let answered = Glibc.open(path + ".answered", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    await withTaskGroup(of: Void.self) { group in
        for sender in 0..<8 {
            group.addTask {
                for number in 0... {
                    let name = "\(sender)-\(number)"
                    guard (try? await log.produce([record("t", name, name)])) != nil else { return }
                    let line = Array((name + "\n").utf8)
                    _ = write(answered, line, line.count)
                    if number == 60 { kill(getpid(), SIGKILL) }
                }
            }
        }
    }
}
