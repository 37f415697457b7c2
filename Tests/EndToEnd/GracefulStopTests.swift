import D360
import EventLog
import Foundation
import Logging
import Service
import Subprocess
import Synchronization
import SystemPackage
import Testing
import WhatsApp

/// What a load balancer and 360dialog see of a stop: the ingress as a real process, told to stop in the middle of load.
@Suite struct GracefulStopTests {
    @Test func aStopUnderLoadLosesNothingThatWasAcknowledged() async throws {
        let stage = try await Ingress.start(drain: .milliseconds(1_000))
        try await eventually("it is ready") { await stage.get("/readyz") == 200 }
        let load = Task { await stage.load(connections: 8) }
        try await eventually("webhooks are taken") { stage.acknowledged.count > 100 }
        #expect(await stage.get("/livez") == 200)
        stage.terminate()
        try await eventually("it says that it is not ready") { await stage.get("/readyz") == 503 }
        // Not ready comes first: what arrives now is still taken.
        let before = stage.acknowledged.count
        try await eventually("webhooks are still taken") { stage.acknowledged.count > before }
        #expect(await stage.get("/livez") == 200)
        #expect(try await stage.exitStatus() == .exited(0))
        load.cancel()
        await load.value
        let acknowledged = stage.acknowledged
        let stored = try await stage.storedMessages()
        #expect(acknowledged.count > before)
        #expect(acknowledged.subtracting(stored) == [])
        try await stage.remove()
    }

    @Test func theMetricsOfAProcessAreThoseOfItsTraffic() async throws {
        let stage = try await Ingress.start(drain: .zero)
        try await eventually("it is ready") { await stage.get("/readyz") == 200 }
        for number in 0..<20 { #expect(await stage.post("wamid.\(number)") == 200) }
        let text = await stage.text("/metrics")
        #expect(text.contains("\nhttp_server_request_duration_seconds_count{http_response_status_code=\"200\"} 20\n"))
        #expect(text.contains("\nwhatsapp_events_received_total{kind=\"messages\"} 20\n"))
        #expect(text.contains("\nservice_ready 1.0\n"))
        #expect(!text.contains("wamid") && !text.contains("15550001111"))
        stage.terminate()
        #expect(try await stage.exitStatus() == .exited(0))
        try await stage.remove()
    }
}

/// One ingress process on an embedded log of its own.
private final class Ingress: Sendable {
    private let directory: String
    private let log: any Log
    private let topics = Topics(partitions: 4)
    private let ports: Ports
    private let transport = HTTPTransport()
    private let process = Mutex<Task<TerminationStatus, any Error>?>(nil)
    private let pid = Mutex<Int32?>(nil)
    private let taken = Mutex<Set<String>>([])

    var acknowledged: Set<String> { taken.withLock { $0 } }

    static func start(drain: Duration) async throws -> Ingress {
        let directory = NSTemporaryDirectory() + "graceful-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let log = try await LogLocation.sqlite(path: "\(directory)/events.db").open(
            kafkaProperties: [:], replicas: 1, logger: silent)
        let ingress = Ingress(directory, log, try Ports())
        try await Provisioning.provision(log, topics: ingress.topics)
        try ingress.run(drain: drain)
        return ingress
    }

    private init(_ directory: String, _ log: any Log, _ ports: Ports) {
        self.directory = directory
        self.log = log
        self.ports = ports
    }

    private func run(drain: Duration) throws {
        let channels = """
            channels:
              demo:
                webhook: { basic: { user: demo, password: secret } }
            """
        try Data(channels.utf8).write(to: URL(fileURLWithPath: "\(directory)/channels.yaml"))
        let environment: [Environment.Key: String?] = [
            "MILLRACE_LOG": "sqlite:\(directory)/events.db", "MILLRACE_CHANNELS": "\(directory)/channels.yaml",
            "MILLRACE_TOPICS_PARTITIONS": "4", "MILLRACE_INGRESS_HOST": "127.0.0.1",
            "MILLRACE_INGRESS_PORT": "\(ports.ingress)", "MILLRACE_ADMIN_PORT": "\(ports.simulator)",
            "MILLRACE_DRAIN_MS": "\(drain.milliseconds)",
        ]
        let errors = try FileDescriptor.open(
            FilePath("\(directory)/ingress.log"), .writeOnly, options: [.create, .append, .closeOnExec],
            permissions: .ownerReadWrite)
        let running = Task {
            try await Subprocess.run(
                .path(FilePath("\(Fleet.programs)/millrace-ingress")), environment: .inherit.updating(environment),
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

    // MARK: Asking

    /// The status; nil when nobody answers.
    func get(_ path: String) async -> Int? {
        try? await transport.perform(HTTPRequest(method: "GET", url: "http://127.0.0.1:\(ports.simulator)\(path)")).status
    }

    func text(_ path: String) async -> String {
        let response = try? await transport.perform(
            HTTPRequest(method: "GET", url: "http://127.0.0.1:\(ports.simulator)\(path)"))
        return String(decoding: response?.body ?? [], as: UTF8.self)
    }

    // MARK: Load

    func post(_ id: String) async -> Int? {
        let body = """
            {"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{\
            "metadata":{"display_phone_number":"15559990000","phone_number_id":"700"},"messages":[{"from":"15550001111",\
            "id":"\(id)","timestamp":"\(Timestamp.now.milliseconds / 1_000)","type":"text","text":{"body":"hi"}}]}}]}]}
            """
        let login = "Basic " + Data("demo:secret".utf8).base64EncodedString()
        let request = HTTPRequest(
            url: "http://127.0.0.1:\(ports.ingress)/webhooks/demo", headers: [HTTPField("Authorization", login)],
            body: Array(body.utf8))
        let status = try? await transport.perform(request).status
        if status == 200 { taken.withLock { _ = $0.insert(id) } }
        return status
    }

    /// One message after the other on each connection, until cancelled.
    func load(connections: Int) async {
        await withDiscardingTaskGroup { group in
            for connection in 0..<connections {
                group.addTask {
                    var number = 0
                    while !Task.isCancelled {
                        number += 1
                        // A refused connection is no reason to spin.
                        if await self.post("wamid.\(connection)-\(number)") == nil { try? await Task.sleep(for: .milliseconds(20)) }
                    }
                }
            }
        }
    }

    /// The ids of all messages on the log.
    func storedMessages() async throws -> Set<String> {
        var found: Set<String> = []
        let reader = try await log.reader()
        for partition in try await log.admin.partitions(of: topics.messages) {
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
}
