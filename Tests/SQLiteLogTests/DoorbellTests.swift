import EventLog
import Foundation
import Testing

@testable import SQLiteLog

@Suite struct DoorbellTests {
    /// Two doorbells on one file, as two processes have them.
    private func withDoorbells(_ body: (Doorbell, Doorbell, Store) async throws -> Void) async throws {
        try await withFolder { folder in
            let store = try Store(path: folder.file, .init())
            let bells = [try Doorbell(store), try Doorbell(store)]
            for bell in bells { bell.start() }
            try await body(bells[0], bells[1], store)
            for bell in bells { try bell.close() }
            try store.close()
        }
    }

    @Test func aRingWakesTheWaitersOfAnotherProcessWithoutAnyCommit() async throws {
        try await withDoorbells { here, there, _ in
            let ticket = here.ticket
            let waiting = Task { await here.wait(past: ticket, until: .now + .seconds(30)) }
            there.ring()
            await waiting.value
            #expect(here.ticket > ticket)
        }
    }

    @Test func aCommitWhoseRingWasLostIsNoticedAllTheSame() async throws {
        try await withDoorbells { here, _, store in
            let ticket = here.ticket
            let waiting = Task { await here.wait(past: ticket, until: nil) }
            // The first look only learns the counter; commits go on until one comes after it.
            while here.ticket == ticket {
                try store.write { try $0.execute(sql: "INSERT INTO mark (newest) VALUES (1)") }
                try await Task.sleep(for: .milliseconds(20))
            }
            await waiting.value
        }
    }

    @Test func aRingBeforeTheWaitIsNotMissed() async throws {
        try await withDoorbells { here, _, _ in
            let ticket = here.ticket
            // Its own, which it hears also where the system has no more watches to give.
            here.ring()
            try await eventually { here.ticket != ticket }
            await here.wait(past: ticket, until: nil)
        }
    }

    @Test func waitsEndAtTheirDeadlineOrWhenCancelled() async throws {
        try await withDoorbells { here, _, _ in
            let ticket = here.ticket
            await here.wait(past: ticket, until: .now + .milliseconds(20))
            let waiting = Task { await here.wait(past: ticket, until: nil) }
            waiting.cancel()
            await waiting.value
            #expect(here.ticket == ticket)
        }
    }

    @Test func aReaderWaitsForRecordsOfAnotherLog() async throws {
        try await withLog { log, folder in
            try await log.admin.createTopics([spec("t")])
            let other = try await SQLiteLog.open(path: folder.file)
            let reader = try await other.reader()
            let partition = TopicPartition("t", 0)
            let nothing = try await reader.read(partition, from: 0, maxRecords: 1, waitingUpTo: .milliseconds(20))
            #expect(nothing.isEmpty)
            let waiting = Task {
                try await reader.read(partition, from: 0, maxRecords: 10, waitingUpTo: .seconds(60))
            }
            try await log.produce([record("t", "k", "v")])
            #expect(try await waiting.value.map(\.text) == ["v"])
            await other.close()
        }
    }
}
