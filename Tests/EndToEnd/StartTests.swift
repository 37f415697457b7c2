import D360
import EventLog
import Foundation
import KafkaLog
import Logging
import SQLiteLog
import Subprocess
import SystemPackage
import Testing
import WhatsApp

/// A program that cannot work says why, in one line that names the setting and the way out, and ends.
@Suite struct StartTests {
    @Test func theIngressRefusesALogWithoutItsTopics() async throws {
        try await withPlace { place in
            let end = try await place.start("millrace-ingress")
            #expect(end.code == 78)
            #expect(end.line.contains("MILLRACE_LOG: lacks the topic whatsapp.messages.v1"))
            #expect(end.line.contains("millrace topics create"))
            // Who makes topics otherwise can say so; the process then stays, until it is told to go.
            try await place.makeTopics(Topics(partitions: 6))
            let other = try await place.start("millrace-ingress")
            #expect(other.code == 78)
            #expect(other.line.contains("MILLRACE_TOPICS_PARTITIONS: is 12, but whatsapp.messages.v1 has 6 partitions"))
            #expect(try await place.runs("millrace-ingress", ["MILLRACE_TOPICS_PARTITIONS": "6"]))
            #expect(try await place.runs("millrace-ingress", ["MILLRACE_TOPICS_CHECK": "false"]))
        }
    }

    @Test(arguments: [
        (["MILLRACE_INGRESS_HOST": "nobody.invalid"], "MILLRACE_INGRESS_HOST", 1),
        (["MILLRACE_INGRESS_HOST": "192.0.2.1"], "MILLRACE_INGRESS_HOST", 1),
        (["MILLRACE_ADMIN_HOST": "nobody.invalid", "MILLRACE_ADMIN_PORT": "9"], "MILLRACE_ADMIN_PORT", 78),
        (["MILLRACE_SPILL": "/proc/nothing/spill"], "MILLRACE_SPILL", 1),
        (["MILLRACE_LOG": "sqlite:/proc/nothing/events.db"], "MILLRACE_LOG", 1),
        (["MILLRACE_LOG": "kafka://:9092,,"], "MILLRACE_LOG", 78),
        (["MILLRACE_TOPICS_PREFIX": "what's app"], "MILLRACE_TOPICS_PREFIX", 78),
        (["MILLRACE_CHANNELS": "/nowhere.yaml"], "MILLRACE_CHANNELS", 78),
        (
            ["MILLRACE_INGRESS_TLS_CERTIFICATE": "/nowhere", "MILLRACE_INGRESS_TLS_KEY": "/nowhere"],
            "MILLRACE_INGRESS_TLS_CERTIFICATE", 78
        ),
    ])
    func theSettingThatCannotBeUsedIsNamed(_ settings: [String: String], _ name: String, _ code: Int32) async throws {
        try await withPlace { place in
            try await place.makeTopics(Topics())
            let end = try await place.start("millrace-ingress", settings)
            #expect(end.line.contains(name), "\(end.line)")
            #expect(end.code == code, "\(end.line)")
        }
    }

    @Test func aMisspeltSettingIsToldWithoutItsValue() async throws {
        try await withPlace { place in
            let end = try await place.start("millrace-ingress", ["MILLRACE_INGRESS_PROT": "s3cret"])
            #expect(end.output.contains("\"settings.unknown\":\"MILLRACE_INGRESS_PROT\""), "\(end.output)")
            #expect(!end.output.contains("s3cret"))
        }
    }

    /// With the log gone and the spill full nothing would become durable.
    @Test func aFullSpillIsNotReady() async throws {
        let cluster = try MockKafka(brokers: 1)
        for topic in Topics().inbound { try cluster.createTopic(topic, partitions: 12) }
        try await withPlace { place in
            let settings = [
                "MILLRACE_LOG": "kafka://\(cluster.bootstrap)", "MILLRACE_ADMIN_PORT": "\(place.ports.simulator)",
                "MILLRACE_SPILL": "\(place.directory)/spill", "MILLRACE_SPILL_MAX_BYTES": "1048576",
            ]
            let program = Task { try await place.start("millrace-ingress", settings, killedAfter: .seconds(300)) }
            try await eventually("it is ready") {
                try await place.readiness()?.contains(#""spill":"ready""#) == true
            }
            try cluster.setDown(1)
            let text = String(repeating: "x", count: 60_000)
            let body = #"{"messages":[{"id":"m","from":"1555","type":"text","text":{"body":"\#(text)"}}]}"#
            let transport = HTTPTransport()
            try await eventually("it is full, and says so") {
                let request = HTTPRequest(
                    url: "http://127.0.0.1:\(place.ports.ingress)/webhooks/demo",
                    headers: [HTTPField("Authorization", "Basic ZGVtbzpzZWNyZXQ=")], body: Array(body.utf8), timeout: .seconds(10))
                _ = try? await transport.perform(request)
                return try await place.readiness()?.contains(#""spill":"full""#) == true
            }
            await transport.shutdown()
            program.cancel()
            _ = try await program.value
        }
    }

    @Test func aProcessorNamesTheStateFolderThatItCannotUse() async throws {
        try await withPlace { place in
            let end = try await place.start("status-tracker", ["MILLRACE_STATE": "/proc/nothing/state"])
            #expect(end.code == 1)
            #expect(end.line.contains("MILLRACE_STATE: cannot be used: /proc/nothing/state"), "\(end.line)")
        }
    }

    /// A restart in an outage brings the ingress back; what is wrong with the topics is said when the log is there.
    @Test func aLogOutOfReachIsNoReasonToRefuse() async throws {
        let cluster = try MockKafka(brokers: 1)
        try cluster.setDown(1)
        try await withPlace { place in
            let settings = ["MILLRACE_LOG": "kafka://\(cluster.bootstrap)", "MILLRACE_ADMIN_PORT": "\(place.ports.simulator)"]
            let program = Task { try await place.start("millrace-ingress", settings, killedAfter: .seconds(300)) }
            try await eventually("it is up, and not ready for want of its topics") {
                try await place.readiness()?.contains(#""topics":"not looked at yet""#) == true
            }
            try cluster.setUp(1)
            try await eventually("what is missing is said") {
                try await place.readiness()?.contains(#""topics":"MILLRACE_LOG""#) == true
            }
            for topic in Topics().inbound { try cluster.createTopic(topic, partitions: 12) }
            try await eventually("the topics are found") { try await place.readiness()?.contains(#""topics":"ready""#) == true }
            program.cancel()
            let end = try await program.value
            #expect(end.output.contains("lacks the topic whatsapp.messages.v1"))
            #expect(end.output.contains("\"setting\":\"MILLRACE_LOG\""))
        }
    }
}

/// A folder with a channels file and a free port, in which programs are started until they end.
private struct Place {
    let directory: String
    let ports: Ports

    struct End {
        /// Nil when it had to be stopped.
        var code: Int32?
        var output: String
        /// The last line that is none of the log's.
        var line: String {
            output.split(separator: "\n").last { !$0.hasPrefix("{") }.map(String.init) ?? ""
        }
    }

    /// Runs a program to its end, or for so long.
    func start(_ name: String, _ settings: [String: String] = [:], killedAfter limit: Duration = .seconds(120)) async throws -> End {
        var variables: [Environment.Key: String?] = [:]
        let own = [
            "MILLRACE_LOG": "sqlite:\(directory)/events.db", "MILLRACE_CHANNELS": "\(directory)/channels.yaml",
            "MILLRACE_STATE": "\(directory)/state", "MILLRACE_INGRESS_HOST": "127.0.0.1",
            "MILLRACE_INGRESS_PORT": "\(ports.ingress)",
        ]
        for (key, value) in own.merging(settings, uniquingKeysWith: { $1 }) { variables[Environment.Key(rawValue: key)!] = value }
        let (environment, errors) = (variables, "\(directory)/\(UUID().uuidString).log")
        var options = PlatformOptions()
        options.teardownSequence = [.send(signal: .terminate, allowedDurationToNextStep: .seconds(30))]
        let log = try FileDescriptor.open(
            FilePath(errors), .writeOnly, options: [.create, .append, .closeOnExec], permissions: .ownerReadWrite)
        let running = Task { [options] in
            try await Subprocess.run(
                .path(FilePath("\(Fleet.programs)/\(name)")), environment: .inherit.updating(environment),
                platformOptions: options, input: .none, output: .discarded,
                error: .fileDescriptor(log, closeAfterSpawningProcess: true)
            ).terminationStatus
        }
        let timer = Task {
            try await Task.sleep(for: limit)
            running.cancel()
        }
        let status = await withTaskCancellationHandler { try? await running.value } onCancel: { running.cancel() }
        timer.cancel()
        let code: Int32? = if case .exited(let code) = status { code } else { nil }
        let output = FileManager.default.contents(atPath: errors) ?? Data()
        return End(code: code, output: String(decoding: output, as: UTF8.self))
    }

    /// Whether the ingress comes to answer.
    func runs(_ name: String, _ settings: [String: String]) async throws -> Bool {
        let program = Task { try await start(name, settings) }
        let transport = HTTPTransport()
        try await eventually("it answers") {
            let request = HTTPRequest(url: "http://127.0.0.1:\(ports.ingress)/webhooks/demo", headers: [], body: [], timeout: .seconds(5))
            return (try? await transport.perform(request))?.status == 401
        }
        await transport.shutdown()
        program.cancel()
        _ = try await program.value
        return true
    }

    /// What `/readyz` says; nil when nobody answers.
    func readiness() async throws -> String? {
        let transport = HTTPTransport()
        let request = HTTPRequest(
            method: "GET", url: "http://127.0.0.1:\(ports.simulator)/readyz", headers: [], body: [], timeout: .seconds(5))
        let answer = try? await transport.perform(request)
        await transport.shutdown()
        return answer.map { String(decoding: $0.body, as: UTF8.self) }
    }

    func makeTopics(_ topics: Topics) async throws {
        let log = try await SQLiteLog.open(path: "\(directory)/events.db")
        try await log.admin.createTopics(topics.specs(groups: []))
        await log.close()
    }
}

private func withPlace(_ body: (Place) async throws -> Void) async throws {
    let directory = NSTemporaryDirectory() + "millrace-\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
    try Data("channels: { demo: { webhook: { basic: { user: demo, password: secret } } } }".utf8)
        .write(to: URL(fileURLWithPath: "\(directory)/channels.yaml"))
    try await body(Place(directory: directory, ports: Ports()))
    try FileManager.default.removeItem(atPath: directory)
}
