import EventLog
import Foundation
import SQLiteLog
import Testing

@Suite struct BasicsTests {
    @Test func appendedRecordsAreReadBackAsTheyWere() async throws {
        try await withLog { log, _ in
            try await log.admin.createTopics([spec("t")])
            var headers = Headers()
            headers.append(name: Array("h".utf8), value: [0, 255] as [UInt8])
            headers.append(name: Array("null".utf8), value: nil as [UInt8]?)
            let sent = [
                Record(
                    topic: "t", key: [1, 2], value: [3], headers: headers, timestamp: Timestamp(milliseconds: 7)),
                Record(topic: "t", key: nil, value: nil, timestamp: Timestamp(milliseconds: 5)),
                Record(topic: "t", key: [], value: [], timestamp: Timestamp(milliseconds: 6)),
            ]
            let positions = try await log.produce(sent)
            #expect(positions == (0..<3).map { RecordPosition(TopicPartition("t", 0), $0) })

            let reader = try await log.reader()
            let found = try await reader.read(
                TopicPartition("t", 0), from: 0, maxRecords: 10, waitingUpTo: .zero)
            #expect(found.map(\.key) == sent.map(\.key))
            #expect(found.map(\.value) == sent.map(\.value))
            #expect(found.map(\.headers) == sent.map(\.headers))
            #expect(found.map(\.timestamp) == sent.map(\.timestamp))
        }
    }

    @Test func whatWasAppendedAndCommittedIsThereAfterReopening() async throws {
        try await withFolder { folder in
            let partition = TopicPartition("t", 0)
            let commit = Commit(offset: 1, metadata: "mr1 p=1")
            let first = try await SQLiteLog.open(path: folder.file)
            try await first.admin.createTopics([spec("t")])
            try await first.produce([record("t", "k", "a"), record("t", "k", "b")])
            try await first.admin.setCommits([partition: commit], of: "g")
            await first.close()

            let second = try await SQLiteLog.open(path: folder.file)
            let marks = try await second.admin.watermarks(of: [partition])
            #expect(marks == [partition: Watermarks(low: 0, high: 2)])
            let commits = try await second.admin.commits(of: "g", in: [partition])
            #expect(commits == [partition: commit])
            await second.close()
            let afterClose = await failure { try await second.produce([record("t", "k", "c")]) }
            #expect(afterClose == .closed)
        }
    }

    @Test func aConsumerReadsFromItsCommitAndItsOutputsComeWithTheCommit() async throws {
        try await withLog { log, _ in
            try await log.admin.createTopics([spec("in"), spec("out")])
            try await log.produce((0..<5).map { record("in", "k", "\($0)") })
            let partition = TopicPartition("in", 0)
            try await log.admin.setCommits([partition: Commit(offset: 2)], of: "g")

            let member = try await Member(log, group: "g", topics: ["in"])
            try await eventually { await member.records.count == 3 }
            #expect(await member.records.map(\.offset) == [2, 3, 4])

            try await member.consumer.commit(
                [partition: Commit(offset: 5, metadata: "note")], outputs: [record("out", "k", "result")])
            let commits = try await log.admin.commits(of: "g", in: [partition])
            #expect(commits[partition] == Commit(offset: 5, metadata: "note"))
            let output = try await log.reader().record(TopicPartition("out", 0), at: 0)
            #expect(output?.text == "result")
            await member.leave()
        }
    }

    @Test func aRefusedRecordLeavesNothingOfItsCallAndHarmsNoOther() async throws {
        try await withLog { log, _ in
            try await log.admin.createTopics([
                TopicSpec("small", partitions: 1, retention: Retention(), maxRecordBytes: 10)
            ])
            async let good = log.produce([record("small", "k", "fits")])
            let tooLarge = await failure {
                try await log.produce([record("small", "k", "fits"), record("small", "k", "does not fit in it")])
            }
            let unknown = await failure {
                try await log.produce([record("small", "k", "fits"), record("no", nil, nil)])
            }
            #expect(tooLarge == .recordTooLarge)
            #expect(unknown == .unknownTopic)
            #expect(try await good.count == 1)
            let marks = try await log.admin.watermarks(of: [TopicPartition("small", 0)])
            #expect(marks.values.first?.high == 1)
        }
    }

    @Test func aFullQueueRefusesAtOnceAndTakesNothing() async throws {
        var configuration = SQLiteLogConfiguration()
        configuration.maxQueuedRecords = 10
        try await withLog(configuration) { log, _ in
            try await log.admin.createTopics([spec("t")])
            let outcomes = await withTaskGroup(of: Bool.self) { group in
                for call in 0..<200 {
                    group.addTask {
                        let code = await failure {
                            try await log.produce((0..<6).map { record("t", "k", "\(call) \($0)") })
                        }
                        #expect(code == nil || code == .queueFull)
                        return code == nil
                    }
                }
                return await group.reduce(into: [Bool: Int64]()) { $0[$1, default: 0] += 1 }
            }
            #expect(outcomes[false] ?? 0 > 0)
            let marks = try await log.admin.watermarks(of: [TopicPartition("t", 0)])
            #expect(marks.values.first?.high == (outcomes[true] ?? 0) * 6)
        }
    }

    @Test func theFileIsForItsOwnerAloneAndItsFolderIsMade() async throws {
        try await withFolder { folder in
            let path = folder.path + "/a/b/events.db"
            let log = try await SQLiteLog.open(path: path)
            for suffix in ["", "-wal", "-shm", ".lock", ".bell"] {
                let mode = try FileManager.default.attributesOfItem(atPath: path + suffix)[.posixPermissions] as? Int
                #expect(mode == 0o600, "\(suffix)")
            }
            await log.close()
        }
    }

    @Test(arguments: [Data("this is a text, and no database at all".utf8), Data(repeating: 7, count: 8_192)])
    func aFileThatIsNoDatabaseIsRefusedAndLeftAlone(_ content: Data) async throws {
        try await withFolder { folder in
            try content.write(to: URL(fileURLWithPath: folder.file))
            let code = await failure { _ = try await SQLiteLog.open(path: folder.file) }
            #expect(code == .storage)
            #expect(try Data(contentsOf: URL(fileURLWithPath: folder.file)) == content)
        }
    }
}
