import EventLog
import EventLogTesting
import Foundation
import SQLiteLog
import Testing

/// The suite that holds both logs to the same behaviour, here on SQLite: each case on a file of its own, its clients as
/// separate as those of separate processes.
@Suite struct ConformanceTests {
    @Test(.timeLimit(.minutes(3)), arguments: ConformanceCase.allCases)
    func conforms(_ promise: ConformanceCase) async throws {
        try await Self.turnstile.pass {
            try await withFolder { try await promise.run(on: SQLiteSubject(path: $0.file)) }
        }
    }

    /// Sixty files that wait for one disk would take longer than a lease.
    private static let turnstile = Turnstile(limit: 8)

    @Test func skipsNothing() {
        #expect(SQLiteSubject(path: "").skips.isEmpty)
    }
}

struct SQLiteSubject: ConformanceSubject {
    let path: String

    let name = "SQLite"
    let skips: [ConformanceCase: String] = [:]
    let sessionTimeout = Duration.seconds(3)

    func open(queueBytes: Int?) async throws -> any Log {
        var configuration = SQLiteLogConfiguration()
        configuration.lease = sessionTimeout
        configuration.revocationGrace = .seconds(3)
        if let queueBytes { configuration.maxQueuedBytes = queueBytes }
        return try await SQLiteLog.open(path: path, configuration: configuration)
    }

    func createTopic(_ spec: TopicSpec) async throws {
        let log = try await open(queueBytes: nil)
        try await log.admin.createTopics([spec])
        await log.close()
    }

    func sweep() async throws {
        let log = try await SQLiteLog.open(path: path)
        try await log.sweep()
        await log.close()
    }

    func runProcess(_ part: ProcessPart) async throws {
        switch part.ending {
        case .killed:
            await #expect(processExitsWith: .signal(SIGKILL)) { [path = path as String, part = part as ProcessPart] in
                try await part.play(on: try await SQLiteSubject(path: path).open(queueBytes: nil))
                OtherProcess.killSelf()
            }
        case .comesBackStale:
            await #expect(processExitsWith: .success) { [path = path as String, part = part as ProcessPart] in
                do {
                    try await part.play(on: try await SQLiteSubject(path: path).open(queueBytes: nil))
                } catch {
                    // Told to the process that judges; a thrown error is but a crash to it.
                    Issue.record(error)
                    throw error
                }
            }
        }
    }
}
