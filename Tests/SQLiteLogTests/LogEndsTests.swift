import EventLog
import Testing

@testable import SQLiteLog

@Suite struct LogEndsTests {
    @Test func aCrowdThatWaitsForOneRingSharesALook() async throws {
        try await withFolder { folder in
            let store = try Store(path: folder.file, .init())
            let bell = try Doorbell(store)
            bell.start()
            let ends = LogEnds(store, bell)
            for ring in 1...3 {
                let ticket = bell.ticket
                await withTaskGroup(of: Bool.self) { group in
                    for _ in 0..<50 { group.addTask { (try? await ends.ends(after: ticket)) != nil } }
                    for await isAnswered in group { #expect(isAnswered) }
                }
                // Those who came during the first share the second.
                #expect(ends.looks <= 2 * ring)
                bell.fire()
                #expect(bell.ticket > ticket)
            }
            #expect(ends.looks >= 3, "what was seen before a ring says nothing of what comes with it")
            try bell.close()
            try store.close()
        }
    }

    @Test func whoWaitsGetsHisOwnBesideABusyLog() async throws {
        try await withLog { log, _ in
            let partitions: Int32 = 12
            try await log.admin.createTopics([spec("quiet", partitions: partitions), spec("busy"), spec("in")])
            let member = try await Member(log, group: "g", topics: ["in"])
            let reader = try await log.reader()
            try await withThrowingTaskGroup(of: Int.self) { group in
                for partition in 0..<partitions {
                    group.addTask {
                        let at = TopicPartition("quiet", partition)
                        return try await reader.read(at, from: 0, maxRecords: 10, waitingUpTo: .seconds(60)).count
                    }
                }
                for index in 0..<200 { try await log.produce([record("busy", "k", "\(index)")]) }
                for partition in 0..<partitions {
                    try await log.produce([record("quiet", nil, "news", partition: partition), record("in", "k", "news")])
                }
                for try await count in group { #expect(count == 1) }
            }
            try await eventually { await member.records.count == Int(partitions) }
            await reader.close()
            await member.leave()
        }
    }
}
