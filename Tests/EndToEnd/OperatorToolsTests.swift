import EventLog
import Foundation
import Logging
import Service
import Subprocess
import SystemPackage
import Testing
import WhatsApp

/// Parked records and dead letters between real processes: they outlive `kill -9`, and `millrace parked` and `millrace dlq`
/// reach them. On the embedded log, and on the brokers that `MILLRACE_TEST_KAFKA=host:port,…` names.
@Suite(.serialized) struct OperatorToolsTests {
    static let logs = ["sqlite"] + (ProcessInfo.processInfo.environment["MILLRACE_TEST_KAFKA"].map { ["kafka://\($0)"] } ?? [])

    /// Held: every fifth of 60 records, and what is behind one in its conversation. Hopeless: 13.
    @Test(arguments: logs) func parkedRecordsSurviveKillsAndAnswerToOperators(on location: String) async throws {
        try await ToolScene.run(on: location) { scene in
            try await scene.hold(true)
            try await scene.feed(0..<60)
            var worker = try scene.startWorker()
            try await eventually("what is held is parked, the rest is done") { try await scene.isAtTheEnd }
            let parked = try await scene.parked()
            #expect(parked.count >= 12)

            // A new owner finds the same records parked, reads them again and goes on trying.
            worker.kill()
            #expect(try await scene.parked() == parked)
            worker = try scene.startWorker()
            try await scene.feed(61..<65, conversations: 1_000)
            try await eventually("the new owner works") {
                guard try await scene.isAtTheEnd else { return false }
                return try await scene.outputs().isSuperset(of: 61..<65)
            }
            #expect(try await scene.parked() == parked)

            let listed = try await scene.millrace("parked", "list", scene.name)
            #expect(listed.contains("records parked") && listed.contains(parked.sorted()[0]), "\(listed)")
            let victim = try await scene.nameOfHeldRecord()
            let dropped = try await scene.millrace("parked", "drop", scene.name, victim)
            #expect(dropped.contains("1 records go to"), "\(dropped)")
            try await eventually("it is a dead letter") {
                try await scene.millrace("dlq", "list", scene.name, "--class", "operator").contains("operator")
            }
            #expect(try await !scene.parked().contains(victim))

            // While they are held: otherwise they might be done by themselves before the tool looks.
            let released = try await scene.millrace("parked", "release", scene.name, "--all")
            #expect(released.contains("tried now"), "\(released)")
            try await scene.hold(false)
            try await eventually("nothing is parked any more") { try await scene.parked().isEmpty }
            // Dropped and hopeless records are dead; all others came through.
            #expect(try await scene.outputs().count == 62)

            let counted = try await scene.millrace("dlq", "redrive", scene.name, "--class", "operator")
            #expect(counted.contains("1 letters would go back"), "\(counted)")
            let redriven = try await scene.millrace("dlq", "redrive", scene.name, "--class", "operator", "--execute")
            #expect(redriven.contains("1 letters went back"), "\(redriven)")
            try await eventually("what was dropped is handled after all") { try await scene.outputs().count == 63 }
            let again = try await scene.millrace("dlq", "redrive", scene.name, "--class", "operator")
            #expect(again.contains("0 letters would go back"), "\(again)")
            worker.kill()
        }
    }

    /// A built-in processor handles everything once more, and the log does not change.
    @Test(arguments: logs) func aReplayLeavesTheLogAsItWas(on location: String) async throws {
        try await ToolScene.run(on: location) { scene in
            let topics = Topics(prefix: scene.name, partitions: 6)
            try await Provisioning.provision(scene.log, topics: topics)
            let message = Record(topic: topics.messages, key: Array("700:1".utf8), value: Array("{}".utf8))
            _ = try await scene.log.produce(Array(repeating: message, count: 40))
            let output = try await scene.millrace("replay", "analytics", "--from", "beginning")
            #expect(output.contains("40 of 40 offsets replayed"), "\(output)")
            let dead = try await scene.read(Topics.deadLetters(group: topics.group(of: "analytics")))
            #expect(dead.isEmpty)
            let partitions = try await scene.log.admin.partitions(of: topics.messages)
            let commits = try await scene.log.admin.commits(of: topics.group(of: "analytics"), in: partitions)
            #expect(commits.values.allSatisfy { $0.offset == 0 })
        }
    }
}

/// The workers of `millrace-bench kill`, one at a time, and the operator's tool beside them.
private struct ToolScene {
    let log: any Log
    let location: String
    let folder: String
    /// Of the processor.
    let name: String

    static func run(on place: String, _ body: (ToolScene) async throws -> Void) async throws {
        let folder = NSTemporaryDirectory() + "millrace-tools-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let location: LogLocation = place == "sqlite"
            ? .sqlite(path: "\(folder)/events.db") : .kafka(bootstrap: String(place.dropFirst("kafka://".count)))
        let log = try await location.open(
            kafkaProperties: [:], replicas: place == "sqlite" ? 1 : min(3, place.split(separator: ",").count),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let scene = ToolScene(
            log: log, location: "\(location)", folder: folder, name: "tools-\(UUID().uuidString.prefix(8).lowercased())")
        try await scene.create()
        try await body(scene)
        await log.close()
        try FileManager.default.removeItem(atPath: folder)
    }

    private var input: Topic { Topic("\(name).in") }
    private var group: String { "millrace.\(name)" }
    private var sources: [TopicPartition] { (0..<6).map { TopicPartition(input, $0) } }

    private func create() async throws {
        let topics = [input, Topic("\(name).out"), Topics.deadLetters(group: group)]
        try await log.admin.createTopics(
            topics.map { TopicSpec($0, partitions: 6, retention: .delete(days: 1)) } + [Topics().controlSpec])
        try await log.admin.setCommits(
            Dictionary(uniqueKeysWithValues: sources.map { ($0, Commit(offset: 0)) }), of: group)
    }

    func hold(_ isHeld: Bool) async throws {
        if isHeld { try Data().write(to: URL(fileURLWithPath: "\(folder)/hold")) } else { try FileManager.default.removeItem(atPath: "\(folder)/hold") }
    }

    /// Conversations in turn.
    func feed(_ numbers: Range<Int>, conversations: Int = 7) async throws {
        _ = try await log.produce(
            numbers.map { number in
                Record(topic: input, key: Array("conversation-\(number % conversations)".utf8), value: Array("\(number)".utf8))
            })
    }

    func startWorker() throws -> Worker {
        try Worker([
            "kill-worker", "--log", location, "--prefix", name, "--book", "\(folder)/effects", "--parent", "\(getpid())",
            "--hold", "\(folder)/hold",
        ])
    }

    private func progress() async throws -> [TopicPartition: EventLog.Progress] {
        try await log.admin.commits(of: group, in: sources).mapValues { EventLog.Progress($0) }
    }

    /// Everything is done or parked.
    var isAtTheEnd: Bool {
        get async throws {
            let ends = try await log.admin.watermarks(of: sources)
            return try await progress().allSatisfy { $1.offset == ends[$0]?.high }
        }
    }

    /// Named as `millrace parked` names them.
    func parked() async throws -> Set<String> {
        Set(try await progress().flatMap { source, progress in
            progress.parked.map { "\(source.topic):\(source.partition):\($0)" }
        })
    }

    /// One that failed itself, and is not only behind another: the first of its partition.
    func nameOfHeldRecord() async throws -> String {
        let first = try await progress().compactMap { source, progress in progress.parked.first.map { (source, $0) } }.min { $0.0 < $1.0 }
        let (source, offset) = try #require(first)
        return "\(source.topic):\(source.partition):\(offset)"
    }

    func outputs() async throws -> Set<Int> {
        Set(try await read(Topic("\(name).out")).compactMap { $0.value.flatMap { Int(String(decoding: $0, as: UTF8.self)) } })
    }

    func read(_ topic: Topic) async throws -> [StoredRecord] {
        var records: [StoredRecord] = []
        let reader = try await log.reader()
        for partition in try await log.admin.partitions(of: topic) {
            records += try await reader.read(partition, from: 0, maxRecords: 10_000, waitingUpTo: .zero)
        }
        await reader.close()
        return records
    }

    /// What `millrace …` prints; a failure is recorded.
    func millrace(_ arguments: String...) async throws -> String {
        let variables: [Environment.Key: String?] = [
            "MILLRACE_LOG": location, "MILLRACE_STATE": "\(folder)/state",
            "MILLRACE_TOPICS_PREFIX": arguments.first == "replay" ? name : "whatsapp", "MILLRACE_TOPICS_PARTITIONS": "6",
        ]
        let result = try await Subprocess.run(
            .path(FilePath("\(Fleet.programs)/millrace")), arguments: Arguments(arguments),
            environment: .inherit.updating(variables), output: .string(limit: 1 << 20), error: .string(limit: 1 << 20))
        let output = result.standardOutput + result.standardError
        #expect(result.terminationStatus.isSuccess, "millrace \(arguments.joined(separator: " ")): \(output)")
        return output
    }
}

private final class Worker: Sendable {
    private let process: Process

    init(_ arguments: [String]) throws {
        process = Process()
        process.executableURL = URL(fileURLWithPath: "\(Fleet.programs)/millrace-bench")
        process.arguments = arguments
        try process.run()
    }

    deinit { if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) } }

    /// SIGKILL; returns when it is gone.
    func kill() {
        Foundation.kill(process.processIdentifier, SIGKILL)
        process.waitUntilExit()
    }
}
