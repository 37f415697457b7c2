import Foundation
import Subprocess
import SystemPackage

/// One program that `millrace up` keeps running.
struct Child: Sendable {
    var name: String
    var executable: String
    var arguments: [String] = []
    var environment: [String: String] = [:]
}

/// Keeps child processes running: one that ends is started again, after a pause that doubles from 0.2 s to 10 s while
/// it keeps failing quickly. Children hold the read end of our pipe as standard input and stop when it closes, so none
/// is left behind even when this process is killed.
struct Supervisor: Sendable {
    /// Where the children's standard error goes, a file each.
    let logDirectory: String
    let report: @Sendable (String) -> Void
    private let lifeline: Lifeline

    init(logDirectory: String, report: @escaping @Sendable (String) -> Void) throws {
        self.logDirectory = logDirectory
        self.report = report
        self.lifeline = try Lifeline()
        try FileManager.default.createDirectory(atPath: logDirectory, withIntermediateDirectories: true)
    }

    /// Runs until cancelled; then the child gets SIGTERM, and SIGKILL if it needs more than 30 s.
    func keepRunning(_ child: Child) async {
        var pause = Duration.milliseconds(200)
        while !Task.isCancelled {
            let started = ContinuousClock.now
            let ending: String
            do {
                let result = try await start(child)
                ending = Self.describe(result)
            } catch {
                ending = "could not be started"
            }
            if Task.isCancelled { return }
            pause = ContinuousClock.now - started > .seconds(30) ? .milliseconds(200) : min(pause * 2, .seconds(10))
            report("\(child.name) ended (\(ending)); starting it again; see \(logDirectory)/\(child.name).log")
            try? await Task.sleep(for: pause)
        }
    }

    private static func describe(_ status: TerminationStatus) -> String {
        switch status {
        case .exited(let code): "exit code \(code)"
        case .signaled(let signal): "killed by signal \(signal)"
        }
    }

    private func start(_ child: Child) async throws -> TerminationStatus {
        let log = try FileDescriptor.open(
            FilePath("\(logDirectory)/\(child.name).log"), .writeOnly, options: [.create, .append, .closeOnExec],
            permissions: [.ownerReadWrite])
        var options = PlatformOptions()
        // Ctrl-C at the terminal reaches `up` alone, which stops the stages in order.
        options.processGroupID = 0
        options.teardownSequence = [.send(signal: .terminate, allowedDurationToNextStep: .seconds(30))]
        var variables: [Environment.Key: String?] = ["MILLRACE_PARENT": "stdin"]
        for (key, value) in child.environment { variables[Environment.Key(rawValue: key)!] = value }
        return try await run(
            .path(FilePath(child.executable)), arguments: Arguments(child.arguments),
            environment: .inherit.updating(variables), platformOptions: options,
            input: .fileDescriptor(lifeline.readEnd, closeAfterSpawningProcess: false), output: .discarded,
            error: .fileDescriptor(log, closeAfterSpawningProcess: true)
        ).terminationStatus
    }
}

/// A pipe whose write end only this process holds: it closes when this process ends, however that happens.
private final class Lifeline: Sendable {
    let readEnd: FileDescriptor
    private let writeEnd: FileDescriptor

    init() throws {
        (readEnd, writeEnd) = try FileDescriptor.pipe(options: .closeOnExec)
    }

    deinit {
        try? readEnd.close()
        try? writeEnd.close()
    }
}
