import EventLog
import Foundation
import KafkaLog
import Spill
import Subprocess
import SystemPackage
import Testing
import WhatsApp

/// A Kafka, mock or real, and a real ingress process with a spill in front of it.
struct SpillScene {
    let cluster: SpillCluster
    var topics: Topics { cluster.topics }
    let directory: String
    let port: Int
    let fleet: Fleet
    let environment: [String: String]

    var spillDirectory: String { "\(directory)/spill" }

    static func run(
        settings: [String: String] = [:], _ body: (SpillScene) async throws -> Void
    ) async throws {
        let scene = try await SpillScene(settings)
        do {
            try await body(scene)
        } catch {
            await scene.fleet.stop()
            throw error
        }
        await scene.fleet.stop()
        try FileManager.default.removeItem(atPath: scene.directory)
    }

    private init(_ settings: [String: String]) async throws {
        cluster = try await SpillCluster()
        directory = NSTemporaryDirectory() + "millrace-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        port = try Ports().ingress
        let channels = "\(directory)/channels.yaml"
        try Data("channels: { demo: { webhook: { basic: { user: demo, password: secret } } } }".utf8)
            .write(to: URL(fileURLWithPath: channels))
        environment = [
            "MILLRACE_LOG": "kafka://\(cluster.bootstrap)", "MILLRACE_CHANNELS": channels,
            "MILLRACE_INGRESS_HOST": "127.0.0.1", "MILLRACE_INGRESS_PORT": "\(port)",
            "MILLRACE_SPILL": "\(directory)/spill", "MILLRACE_TOPICS_PREFIX": cluster.topics.prefix,
        ].merging(settings) { $1 }
        fleet = try Fleet(environment: environment, logs: "\(directory)/logs")
    }

    func startIngress() async throws {
        fleet.start(["millrace-ingress"])
        try await waitForIngress()
    }

    func waitForIngress() async throws {
        let probe = WebhookLoad(port: port, customers: 1)
        try await eventually("the ingress answers") {
            await probe.run(perSecond: 1_000, for: .milliseconds(1), givingUpWhenRefused: true)
            return probe.report.refused[0, default: 0] == 0 || !probe.report.acknowledged.isEmpty
        }
        await probe.close()
    }

    func held() async -> Int64? { try? await SpillStatus.read(directory: spillDirectory).records }

    /// The ingress's own lines.
    var lines: String {
        String(decoding: FileManager.default.contents(atPath: "\(directory)/logs/millrace-ingress.log") ?? Data(), as: UTF8.self)
    }

    /// `millrace spill …`: exit code and output.
    func millrace(_ arguments: String...) async throws -> (code: Int32?, output: String) {
        var variables: [Environment.Key: String?] = [:]
        for (key, value) in environment { variables[Environment.Key(rawValue: key)!] = value }
        let result = try await Subprocess.run(
            .path(FilePath("\(Fleet.programs)/millrace")), arguments: Arguments(["spill"] + arguments),
            environment: .inherit.updating(variables), output: .string(limit: 1 << 16), error: .string(limit: 1 << 16))
        let code: Int32? = if case .exited(let code) = result.terminationStatus { code } else { nil }
        return (code, result.standardOutput + result.standardError)
    }

    /// Ids on the messages topic, partition by partition in the order of the log.
    func idsOnTheLog() async throws -> [String] {
        let log = try await cluster.open()
        let partitions = try await log.admin.partitions(of: topics.messages)
        let held = try await log.admin.watermarks(of: partitions)
        let reader = try await log.reader()
        let ids = try await withThrowingTaskGroup(of: [String].self) { group in
            for (partition, marks) in held { group.addTask { try await Self.ids(partition, marks, reader) } }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        await reader.close()
        await log.close()
        return ids
    }

    private static func ids(
        _ partition: TopicPartition, _ marks: Watermarks, _ reader: any Reader
    ) async throws -> [String] {
        var ids: [String] = []
        var next = marks.low
        while next < marks.high {
            let records = try await reader.read(partition, from: next, maxRecords: 1_000, waitingUpTo: .seconds(10))
            guard let last = records.last else { break }
            ids += records.compactMap { $0.headers.string("ce_subject") }
            next = last.offset + 1
        }
        return ids
    }

    /// Everything acknowledged is on the log, and each customer's messages in the order in which they were sent.
    /// Answers how many records are copies.
    @discardableResult
    func check(_ report: WebhookLoad.Report) async throws -> Int {
        try await eventually("the spill is empty", within: .seconds(600)) { await held() == 0 }
        let ids = try await idsOnTheLog()
        let lost = Set(report.acknowledged).subtracting(ids)
        #expect(lost.isEmpty, "\(lost.count) lost, e.g. \(lost.sorted().prefix(3))")
        var seen: Set<String> = []
        var last: [Substring: Int] = [:]
        for id in ids where seen.insert(id).inserted {
            let words = id.split(separator: ".")
            let number = Int(words[2])!
            #expect(number > last[words[1], default: 0], "\(id) comes after \(last[words[1], default: 0])")
            last[words[1]] = number
        }
        return ids.count - seen.count
    }
}
