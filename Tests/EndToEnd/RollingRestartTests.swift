import EventLog
import Foundation
import Logging
import ProcessorTesting
import Service
import Subprocess
import Synchronization
import SystemPackage
import Testing
import WhatsApp

/// Three instances of one processor, real processes, are restarted one after the other under load: every record is
/// answered, in the order of its conversation, and each instance stops with exit code 0. On the embedded log, and on the
/// brokers that `MILLRACE_TEST_KAFKA=host:port,…` names.
///
/// Reported: the longest time between a message and its answer, which is what a take-over costs.
@Suite(.serialized) struct RollingRestartTests {
    private static let conversations = 60
    private static let perSecond = 100

    static let logs = ["sqlite"] + (ProcessInfo.processInfo.environment["MILLRACE_TEST_KAFKA"].map { ["kafka://\($0)"] } ?? [])

    @Test(arguments: logs) func nothingIsLostOrReorderedWhileInstancesAreRestarted(on place: String) async throws {
        let folder = NSTemporaryDirectory() + "millrace-rolling-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        let isKafka = place != "sqlite"
        // Real brokers remember other runs.
        let topics = isKafka
            ? Topics(prefix: "rolling-\(UUID().uuidString.prefix(8).lowercased())", partitions: 12) : Topics(partitions: 12)
        let location = try LogLocation(parsing: isKafka ? place : "sqlite:\(folder)/events.db")
        let log = try await location.open(
            kafkaProperties: [:], replicas: isKafka ? min(3, place.split(separator: ",").count) : 1,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await Provisioning.provision(log, topics: topics)
        // A rule for everything, and a cap that nobody reaches: one answer a message.
        try "cap: [{replies: 1000, per: 1s}]\nrules:\n  - {name: all, when: default, reply: {text: \"yes\"}}\n"
            .write(toFile: "\(folder)/rules.yaml", atomically: true, encoding: .utf8)
        let environment = [
            "MILLRACE_LOG": "\(location)", "MILLRACE_STATE": "\(folder)/state", "MILLRACE_RULES": "\(folder)/rules.yaml",
            "MILLRACE_TOPICS_PREFIX": topics.prefix,
        ]
        let enough = Flag()
        async let written = write(to: log, topics, until: enough)
        try await restartInTurn(environment, folder, log, topics)
        enough.raise()
        let count = try await written
        let last = try Instance(environment: environment, errors: "\(folder)/last.log")
        try await eventually("every message is answered", within: .seconds(120)) {
            try await Set(answers(log, topics).map(\.cause)).count >= count
        }
        // The others may have answered everything before it was there; then it would hear of its stop too early.
        try await eventually("it has started") {
            try String(contentsOfFile: "\(folder)/last.log", encoding: .utf8).contains(#""message":"started""#)
        }
        #expect(try await last.stop() == .exited(0))
        try await check(count, log, topics)
        await log.close()
        try FileManager.default.removeItem(atPath: folder)
    }

    /// Each of three instances is asked to stop once, and started again while the others go on.
    private func restartInTurn(
        _ environment: [String: String], _ folder: String, _ log: any Log, _ topics: Topics
    ) async throws {
        var instances = try (0..<3).map { try Instance(environment: environment, errors: "\(folder)/\($0).log") }
        try await eventually("three instances share the partitions") { try await members(log, topics) == 3 }
        for index in instances.indices {
            #expect(try await instances[index].stop() == .exited(0))
            instances[index] = try Instance(environment: environment, errors: "\(folder)/\(index).log")
            try await eventually("instance \(index) is back") { try await members(log, topics) == 3 }
            let before = try await answers(log, topics).count
            try await eventually("work goes on") { try await answers(log, topics).count > before + 50 }
        }
        for instance in instances { #expect(try await instance.stop() == .exited(0)) }
    }

    private func members(_ log: any Log, _ topics: Topics) async throws -> Int {
        let group = try await log.admin.groups().first { $0.group == topics.group(of: "auto-responder") }
        return group?.members.values.count { !$0.isEmpty } ?? 0
    }

    /// Customers write in turn, numbering their messages; answers how many were written.
    private func write(to log: any Log, _ topics: Topics, until enough: Flag) async throws -> Int {
        var count = 0
        while !enough.isRaised {
            let batch = (count..<count + Self.perSecond / 10).map { number in
                let customer = "1555000\(1_000 + number % Self.conversations)"
                let message = StoredRecord.message("\(number)", from: customer, id: "wamid.\(number)", topics: topics)
                return Record(topic: message.topic, key: message.key, value: message.value, headers: message.headers)
            }
            try await log.produce(batch)
            count += batch.count
            try await Task.sleep(for: .milliseconds(100))
        }
        return count
    }

    private struct Answer {
        /// Id of the message that it answers.
        var cause: String
        var conversation: [UInt8]
        var at: Timestamp
    }

    private func answers(_ log: any Log, _ topics: Topics) async throws -> [Answer] {
        try await read(topics.outbound, log).map { record in
            Answer(cause: try CloudEvent(record.headers).causationID ?? "", conversation: record.key ?? [], at: record.timestamp)
        }
    }

    private func read(_ topic: Topic, _ log: any Log) async throws -> [StoredRecord] {
        var records: [StoredRecord] = []
        let reader = try await log.reader()
        for partition in try await log.admin.partitions(of: topic) {
            records += try await reader.read(partition, from: 0, maxRecords: 1_000_000, waitingUpTo: .zero)
        }
        await reader.close()
        return records
    }

    private func check(_ count: Int, _ log: any Log, _ topics: Topics) async throws {
        let messages = try await read(topics.messages, log)
        var writtenAt: [String: Timestamp] = [:]
        for message in messages { writtenAt[try CloudEvent(message.headers).id] = message.timestamp }
        #expect(writtenAt.count == count)
        // A crash may give copies; a restart in order should not, and an answer has one id either way.
        var met: Set<String> = []
        let firsts = try await answers(log, topics).filter { met.insert($0.cause).inserted }
        #expect(met == Set(writtenAt.keys))
        for (_, ofOne) in Dictionary(grouping: firsts, by: \.conversation) {
            let numbers = ofOne.compactMap { Int($0.cause.dropFirst("wamid.".count)) }
            #expect(numbers == numbers.sorted())
        }
        #expect(try await read(Topics.deadLetters(group: topics.group(of: "auto-responder")), log).isEmpty)
        let slowest = firsts.compactMap { answer in writtenAt[answer.cause].map { answer.at - $0 } }.max() ?? .zero
        print("rolling restart on \(topics.prefix): \(count) messages, longest from message to answer \(slowest.milliseconds) ms")
        #expect(slowest < .seconds(60), "a take-over took absurdly long")
    }
}

private final class Flag: Sendable {
    private let state = Mutex(false)
    var isRaised: Bool { state.withLock { $0 } }
    func raise() { state.withLock { $0 = true } }
}

/// One running auto-responder.
private final class Instance: Sendable {
    private let task: Task<TerminationStatus, any Error>

    init(environment: [String: String], errors path: String) throws {
        let log = try FileDescriptor.open(
            FilePath(path), .writeOnly, options: [.create, .append, .closeOnExec], permissions: .ownerReadWrite)
        var options = PlatformOptions()
        options.teardownSequence = [.send(signal: .terminate, allowedDurationToNextStep: .seconds(30))]
        var variables: [Environment.Key: String?] = [:]
        for (key, value) in environment { variables[Environment.Key(rawValue: key)!] = value }
        task = Task { [variables, options] in
            try await Subprocess.run(
                .path(FilePath("\(Fleet.programs)/auto-responder")), environment: .inherit.updating(variables),
                platformOptions: options, input: .none, output: .discarded,
                error: .fileDescriptor(log, closeAfterSpawningProcess: true)
            ).terminationStatus
        }
    }

    /// SIGTERM; waits for the end.
    func stop() async throws -> TerminationStatus {
        task.cancel()
        return try await task.value
    }
}
