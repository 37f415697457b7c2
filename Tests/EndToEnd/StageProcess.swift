import D360
import EventLog
import Foundation
import Logging
import Service
import Subprocess
import Synchronization
import SystemPackage
import WhatsApp

/// One stage as a real process, on an embedded log of its own with an admin port.
final class StageProcess: Sendable {
    let directory: String
    let log: any Log
    let topics = Topics(partitions: 4)
    let port: Int
    let transport = HTTPTransport()
    private let adminPort: Int
    private let process = Mutex<Task<TerminationStatus, any Error>?>(nil)
    private let pid = Mutex<Int32?>(nil)

    /// - Parameters:
    ///   - files: by their names in the stage's directory.
    ///   - environment: given the directory and the port to listen on.
    static func start(
        _ program: String, drain: Duration = .zero, files: [String: String],
        environment: (_ directory: String, _ port: Int) -> [String: String]
    ) async throws -> StageProcess {
        let directory = NSTemporaryDirectory() + "stage-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        for (name, text) in files { try Data(text.utf8).write(to: URL(fileURLWithPath: "\(directory)/\(name)")) }
        let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let log = try await LogLocation.sqlite(path: "\(directory)/events.db").open(
            kafkaProperties: [:], replicas: 1, logger: silent)
        let stage = StageProcess(directory, log, try Ports())
        try await Provisioning.provision(log, topics: stage.topics)
        let common = [
            "MILLRACE_LOG": "sqlite:\(directory)/events.db", "MILLRACE_TOPICS_PARTITIONS": "4",
            "MILLRACE_ADMIN_PORT": "\(stage.adminPort)", "MILLRACE_DRAIN_MS": "\(drain.milliseconds)",
        ]
        try stage.run(program, common.merging(environment(directory, stage.port)) { $1 })
        return stage
    }

    private init(_ directory: String, _ log: any Log, _ ports: Ports) {
        self.directory = directory
        self.log = log
        (port, adminPort) = (ports.ingress, ports.simulator)
    }

    private func run(_ program: String, _ environment: [String: String]) throws {
        var variables: [Environment.Key: String?] = [:]
        for (key, value) in environment { variables[Environment.Key(rawValue: key)!] = value }
        let errors = try FileDescriptor.open(
            FilePath("\(directory)/\(program).log"), .writeOnly, options: [.create, .append, .closeOnExec],
            permissions: .ownerReadWrite)
        let running = Task { [variables] in
            try await Subprocess.run(
                .path(FilePath("\(Fleet.programs)/\(program)")), environment: .inherit.updating(variables),
                input: .none, output: .sequence, error: .fileDescriptor(errors, closeAfterSpawningProcess: true)
            ) { execution in
                self.pid.withLock { $0 = execution.processIdentifier.value }
                for try await _ in execution.standardOutput {}
            }.terminationStatus
        }
        process.withLock { $0 = running }
    }

    func terminate() {
        if let pid = pid.withLock({ $0 }) { kill(pid, SIGTERM) }
    }

    func exitStatus() async throws -> TerminationStatus { try await process.withLock { $0 }!.value }

    func remove() async throws {
        await transport.shutdown()
        await log.close()
        try FileManager.default.removeItem(atPath: directory)
    }

    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: "\(directory)/\(name)"), options: .atomic)
    }

    // MARK: The admin port

    /// The status; nil when nobody answers.
    func get(_ path: String) async -> Int? {
        try? await transport.perform(HTTPRequest(method: "GET", url: "http://127.0.0.1:\(adminPort)\(path)")).status
    }

    func text(_ path: String) async -> String {
        let response = try? await transport.perform(
            HTTPRequest(method: "GET", url: "http://127.0.0.1:\(adminPort)\(path)"))
        return String(decoding: response?.body ?? [], as: UTF8.self)
    }

    // MARK: The log

    /// The ids of all events on a topic.
    func storedIDs(_ topic: Topic) async throws -> Set<String> {
        var found: Set<String> = []
        let reader = try await log.reader()
        for partition in try await log.admin.partitions(of: topic) {
            var at: Offset = 0
            while let last = try await {
                let records = try await reader.read(partition, from: at, maxRecords: 1_000, waitingUpTo: .zero)
                for record in records { found.insert(try CloudEvent(record.headers).id) }
                return records.last
            }() { at = last.offset + 1 }
        }
        await reader.close()
        return found
    }

    // MARK: Load

    /// Calls one after the other on each connection, until cancelled.
    static func load(connections: Int, _ call: @escaping @Sendable (_ name: String) async -> Int?) async {
        await withDiscardingTaskGroup { group in
            for connection in 0..<connections {
                group.addTask {
                    var number = 0
                    while !Task.isCancelled {
                        number += 1
                        // A refused connection is no reason to spin.
                        if await call("\(connection)-\(number)") == nil { try? await Task.sleep(for: .milliseconds(20)) }
                    }
                }
            }
        }
    }
}
