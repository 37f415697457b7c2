import EventLog
import Foundation
import SQLiteLog
import Synchronization
import Testing
import WhatsApp

@testable import Service

/// A changed file may make a program need a topic: it is looked at as at the start.
@Suite struct TopicDemandTests {
    private let topics = Topics(partitions: 4)

    private func withLog(_ body: (SQLiteLog) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "millrace-demand-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let log = try await SQLiteLog.open(path: "\(folder)/events.db")
        do {
            try await body(log)
        } catch {
            await log.close()
            throw error
        }
        await log.close()
    }

    /// On a thread of its own, as `Reloading` calls it.
    private func check(_ demand: TopicDemand, _ topics: [Topic]) async -> (any Error)? {
        await withCheckedContinuation { done in
            DispatchQueue(label: "test").async {
                do {
                    try demand.check(topics)
                    done.resume(returning: nil)
                } catch {
                    done.resume(returning: error)
                }
            }
        }
    }

    @Test func aTopicThatTheLogLacksIsRefusedUntilItIsThere() async throws {
        try await withLog { log in
            let demand = TopicDemand(log, partitions: 4, known: [topics.messages])
            let missing = await check(demand, [topics.raw]) as? SettingError
            #expect(missing?.setting == "MILLRACE_LOG" && missing?.rule.contains("whatsapp.raw.v1") == true)
            try await log.admin.createTopics([TopicSpec(topics.raw, partitions: 4, retention: .delete(days: 1))])
            #expect(await check(demand, [topics.raw]) == nil)
            let other = TopicDemand(log, partitions: 6, known: [topics.messages])
            #expect((await check(other, [topics.raw]) as? SettingError)?.setting == "MILLRACE_TOPICS_PARTITIONS")
        }
    }

    /// What was looked at is not asked for again, so that an outage does not hold up other changes; nor is anything where
    /// the brokers make topics.
    @Test func aLogThatDoesNotAnswerDelaysOnlyWhatIsNew() async throws {
        try await withLog { log in
            await log.close()
            let demand = TopicDemand(log, partitions: 4, known: [topics.messages], patience: .milliseconds(50))
            #expect((await check(demand, [topics.raw]) as? ReloadDelay)?.reason.contains("whatsapp.raw.v1") == true)
            #expect(await check(demand, [topics.messages]) == nil)
            #expect(await check(TopicDemand(log, partitions: 4, known: nil), [topics.raw]) == nil)
        }
    }
}
