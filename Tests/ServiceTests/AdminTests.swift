import D360
import EventLog
import EventLogTesting
import Foundation
import KafkaLog
import Logging
import SQLiteLog
import ServiceLifecycle
import Synchronization
import Telemetry
import Testing
import WhatsApp

@testable import Service

@Suite struct AdminTests {
    private struct Admin {
        let server: AdminServer
        let health: Health
        let registry: PrometheusRegistry
        let transport: HTTPTransport

        func get(_ path: String, accept: String? = nil) async throws -> HTTPResponse {
            let headers = accept.map { [HTTPField("Accept", $0)] } ?? []
            return try await transport.perform(
                HTTPRequest(method: "GET", url: "http://127.0.0.1:\(server.port)\(path)", headers: headers))
        }

        /// Status code, the word of the whole, and the words of the checks.
        func ready() async throws -> (Int, String?, [String: String]) {
            let response = try await get("/readyz")
            let json = try JSON(parsing: response.body)
            var checks: [String: String] = [:]
            json["checks"]?.forEachMember { name, value in checks[name] = value.string }
            return (response.status, json["status"]?.string, checks)
        }
    }

    private static let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    private func withAdmin(_ body: (Admin) async throws -> Void) async throws {
        let (health, registry, transport) = (Health(), PrometheusRegistry(), HTTPTransport())
        let server = try await AdminServer.start(
            AdminSettings(host: "127.0.0.1", port: 0), health: health, registry: registry, logger: Self.silent)
        try await body(Admin(server: server, health: health, registry: registry, transport: transport))
        await transport.shutdown()
        await server.stop()
    }

    @Test func aProcessThatAnswersIsAliveAndReadyWhenAllItsChecksAre() async throws {
        try await withAdmin { admin in
            let alive = try await admin.get("/livez")
            #expect(alive.status == 200)
            let unread = try await admin.transport.perform(
                HTTPRequest(method: "HEAD", url: "http://127.0.0.1:\(admin.server.port)/readyz"))
            #expect(unread.status == 503 && unread.body.isEmpty)
            #expect(try await admin.ready() == (503, "starting", [:]))
            let log = ManualReadiness()
            admin.health.add("log") { log.value }
            admin.health.add("ingress") { .ready }
            admin.health.start()
            #expect(try await admin.ready() == (200, "ready", ["log": "ready", "ingress": "ready"]))
            log.value = .notReady("out of reach")
            #expect(try await admin.ready() == (503, "not ready", ["log": "out of reach", "ingress": "ready"]))
            log.value = .ready
            admin.health.drain()
            #expect(try await admin.ready() == (503, "draining", ["log": "ready", "ingress": "ready"]))
            #expect(try await admin.get("/livez").status == 200, "a process that stops is not to be killed")
        }
    }

    @Test func metricsComeInTheFormAskedFor() async throws {
        try await withAdmin { admin in
            ProcessMetrics.observe(admin.health, in: admin.registry)
            let plain = try await admin.get("/metrics")
            #expect(plain.status == 200)
            #expect(plain.header("content-type") == "text/plain; version=0.0.4; charset=utf-8")
            let text = String(decoding: plain.body, as: UTF8.self)
            for metric in ServiceMetric.allCases { #expect(text.contains("\n\(metric.rawValue) ")) }
            #expect(text.contains("\nservice_ready 0.0\n"))
            #expect(admin.registry.value(of: ServiceMetric.memory) ?? 0 > 1_000_000)
            #expect(admin.registry.value(of: ServiceMetric.openFiles) ?? 0 > 3)
            admin.health.start()
            let open = try await admin.get("/metrics", accept: "application/openmetrics-text; version=1.0.0")
            #expect(open.header("content-type") == "application/openmetrics-text; version=1.0.0; charset=utf-8")
            #expect(String(decoding: open.body, as: UTF8.self).hasSuffix("\nservice_ready 1.0\n# EOF\n"))
        }
    }

    @Test func cpuTimeOnlyGrows() throws {
        let registry = PrometheusRegistry()
        ProcessMetrics.observe(Health(), in: registry)
        let before = try #require(registry.value(of: ServiceMetric.cpu))
        var sum = 0.0
        for number in 0..<3_000_000 { sum += Double(number).squareRoot() }
        #expect(sum > 0)
        let after = try #require(registry.value(of: ServiceMetric.cpu))
        #expect(before > 0 && after > before)
    }

    @Test func nothingElseIsAnswered() async throws {
        try await withAdmin { admin in
            for path in ["/", "/metrics/x", "/webhooks/demo", "/debug"] {
                let response = try await admin.get(path)
                #expect(response.status == 404, "\(path)")
            }
        }
    }

    @Test func aPortInUseStopsTheStartAndIsNamed() async throws {
        try await withAdmin { admin in
            let settings = AdminSettings(host: "127.0.0.1", port: admin.server.port)
            let error = await #expect(throws: SettingError.self) {
                _ = try await AdminServer.start(
                    settings, health: Health(), registry: PrometheusRegistry(), logger: Self.silent)
            }
            #expect(error?.setting == "MILLRACE_ADMIN_PORT")
        }
    }

    @Test func theProbeFollowsTheLog() async throws {
        let folder = NSTemporaryDirectory() + "admin-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let log = try await SQLiteLog.open(path: folder + "/events.db", configuration: SQLiteLogConfiguration())
        let probe = LogProbe(log, clock: ManualClock())
        #expect(probe.readiness == .notReady("not reached yet"))
        await probe.probe()
        #expect(probe.readiness == .ready)
        await log.close()
        await probe.probe()
        #expect(probe.readiness == .notReady("out of reach"))
    }

    @Test func aStopDoesNotWaitForALogThatDoesNotAnswer() async throws {
        let mock = try MockKafka(brokers: 1)
        try mock.setRoundTrip(.seconds(60), of: 1)
        let log = try await KafkaLog.open(bootstrap: mock.bootstrap)
        let isAnswered = Mutex(false)
        let question = Task {
            _ = try? await log.admin.topics()
            isAnswered.withLock { $0 = true }
        }
        let probe = LogProbe(log, clock: ManualClock())
        let (starts, start) = AsyncStream<Void>.makeStream()
        let group = ServiceGroup(services: [probe, Announced(start: start)], logger: Self.silent)
        let running = Task { try await group.run() }
        for await _ in starts { break }
        await group.triggerGracefulShutdown()
        try await running.value
        #expect(!isAnswered.withLock { $0 })
        question.cancel()
    }

    @Test func thePortIsOffUnlessItIsGiven() async throws {
        #expect(try await Settings.load(environment: [:]).admin == nil)
        let settings = try await Settings.load(
            environment: ["MILLRACE_ADMIN_PORT": "9464", "MILLRACE_ADMIN_HOST": "0.0.0.0", "MILLRACE_DRAIN_MS": "1500"])
        #expect(settings.admin == AdminSettings(host: "0.0.0.0", port: 9_464))
        #expect(settings.drainDelay == .milliseconds(1_500))
        await #expect(throws: SettingError.self) { try await Settings.load(environment: ["MILLRACE_DRAIN_MS": "60000"]) }
    }
}

/// Tells that it, and whatever service is before it, has been started.
private struct Announced: Service {
    let start: AsyncStream<Void>.Continuation

    func run() async throws {
        start.yield()
        try await gracefulShutdown()
    }
}

private final class ManualReadiness: Sendable {
    private let current = Mutex(Readiness.ready)
    var value: Readiness {
        get { current.withLock { $0 } }
        set { current.withLock { $0 = newValue } }
    }
}
