import Foundation
import Subprocess
import Synchronization
import SystemPackage

/// The stages as real processes, kept running as `millrace up` keeps them: one that is killed is started again.
final class Fleet: Sendable {
    static let stages = ["millrace-ingress", "auto-responder", "outbound-sender", "status-tracker", "analytics"]

    private let environment: [String: String]
    private let logs: String
    private let running = Mutex<[String: Int32]>([:])
    private let tasks = Mutex<[Task<Void, Never>]>([])

    /// - Parameter logs: folder for each stage's standard error.
    init(environment: [String: String], logs: String) throws {
        self.environment = environment
        self.logs = logs
        try FileManager.default.createDirectory(atPath: logs, withIntermediateDirectories: true)
    }

    /// Where the programs are: beside the test bundle, or where `MILLRACE_BIN` says (e.g. a release build).
    static var programs: String {
        if let path = ProcessInfo.processInfo.environment["MILLRACE_BIN"] { return path }
        let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: bundle).deletingLastPathComponent().path
    }

    func start(_ stages: [String] = Fleet.stages) {
        tasks.withLock { tasks in
            for stage in stages { tasks.append(Task { await self.keepRunning(stage) }) }
        }
    }

    /// SIGKILL; nothing of the process gets a chance to tidy up. False when it is just not running.
    func kill(_ stage: String) -> Bool {
        guard let pid = running.withLock({ $0[stage] }) else { return false }
        return Foundation.kill(pid, SIGKILL) == 0
    }

    /// SIGTERM to all, and waits until they are gone.
    func stop() async {
        let tasks = tasks.withLock { $0 }
        for task in tasks { task.cancel() }
        for task in tasks { await task.value }
    }

    private func keepRunning(_ stage: String) async {
        while !Task.isCancelled {
            try? await run(stage)
            running.withLock { $0[stage] = nil }
        }
    }

    private func run(_ stage: String) async throws {
        let log = try FileDescriptor.open(
            FilePath("\(logs)/\(stage).log"), .writeOnly, options: [.create, .append, .closeOnExec],
            permissions: .ownerReadWrite)
        var options = PlatformOptions()
        options.teardownSequence = [.send(signal: .terminate, allowedDurationToNextStep: .seconds(30))]
        var variables: [Environment.Key: String?] = [:]
        for (key, value) in environment { variables[Environment.Key(rawValue: key)!] = value }
        _ = try await Subprocess.run(
            .path(FilePath("\(Fleet.programs)/\(stage)")), environment: .inherit.updating(variables),
            platformOptions: options, input: .none, output: .sequence,
            error: .fileDescriptor(log, closeAfterSpawningProcess: true)
        ) { execution in
            running.withLock { $0[stage] = execution.processIdentifier.value }
            // Standard output stays silent and open until the process is gone.
            for try await _ in execution.standardOutput {}
        }
    }
}
