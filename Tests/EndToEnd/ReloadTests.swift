import D360
import EventLog
import Foundation
import Logging
import Service
import Synchronization
import Testing
import WhatsApp

/// Secrets and certificates change while the real ingress runs and webhooks keep coming.
@Suite(.serialized, .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl"), "needs the openssl tool"))
struct ReloadTests {
    @Test func secretsAndCertificatesRotateWithoutARestartOrALostWebhook() async throws {
        let site = try Site()
        defer { site.remove() }
        try site.makeCertificate("one")
        try site.install("one")
        try site.write("first", to: "password")
        try site.writeChannels(["password"])
        let log = try await site.openLog()
        let fleet = try Fleet(environment: site.environment, logs: site.path("logs"))
        fleet.start(["millrace-ingress"])
        let transport = HTTPTransport(HTTPTransportConfiguration(caFile: site.path("one.crt")))
        try await eventually("the ingress answers") { await site.post(transport, password: "first") == 200 }

        // Old and new are valid together, so a steady stream of webhooks sees no refusal in between.
        // Not ended by cancelling it, which would break off its last request.
        let isOver = Mutex(false)
        let stream = Task { () -> [Int?] in
            var answers: [Int?] = []
            while !isOver.withLock({ $0 }) { answers.append(await site.post(transport, password: "first")) }
            return answers
        }
        try site.write("second", to: "new-password")
        try site.writeChannels(["password", "new-password"])
        try await eventually("the new password is valid") { await site.post(transport, password: "second") == 200 }

        // A broken file, and a certificate without its key: nothing changes, and the log says so.
        try site.write("channels: [", to: "channels.yaml")
        try site.makeCertificate("two")
        try site.installCertificate("two")
        try await eventually("both are said") {
            let said = site.ingressLog.split(separator: "\n").filter { $0.contains("are not taken") }
            return said.contains { $0.contains("\"channels\"") } && said.contains { $0.contains("\"tls\"") }
        }
        #expect(await site.post(transport, password: "second") == 200)

        try site.install("two")
        let newTransport = HTTPTransport(HTTPTransportConfiguration(caFile: site.path("two.crt")))
        try await eventually("the new certificate is shown") { await site.post(newTransport, password: "second") == 200 }
        isOver.withLock { $0 = true }
        let answers = await stream.value
        #expect(answers.count > 10)
        #expect(answers.allSatisfy { $0 == 200 }, "\(answers.filter { $0 != 200 }.count) of \(answers.count)")

        try site.writeChannels(["new-password"])
        try await eventually("the old password is void") { await site.post(newTransport, password: "first") == 401 }
        #expect(!site.ingressLog.contains("second"))
        await fleet.stop()
        await transport.shutdown()
        await newTransport.shutdown()
        await log.close()
    }
}

@Suite struct TopicReloadTests {
    /// A start with that file is refused; a change to it must not make every delivery of the channel a 503.
    @Test func bodiesAreNotKeptWholeWithoutATopicForThem() async throws {
        let site = try Site()
        defer { site.remove() }
        try site.write("secret", to: "password")
        try site.writeChannels(["password"])
        let topics = Topics()
        let log = try await site.openLog(without: topics.raw)
        let environment = site.environment.filter { !$0.key.contains("_TLS_") }
        let fleet = try Fleet(environment: environment, logs: site.path("logs"))
        fleet.start(["millrace-ingress"])
        let transport = HTTPTransport(HTTPTransportConfiguration())
        func post() async -> Int? { await site.post(transport, password: "secret", scheme: "http") }
        try await eventually("the ingress answers") { await post() == 200 }
        try site.writeChannels(["password"], raw: true)
        try await eventually("it is said") {
            site.ingressLog.split(separator: "\n").contains { $0.contains("are not taken") && $0.contains("lacks the topic whatsapp.raw.v1") }
        }
        #expect(await post() == 200)
        // Made now, and the file touched: taken.
        try await log.admin.createTopics(topics.specs(groups: []).filter { $0.topic == topics.raw })
        try site.writeChannels(["password"], raw: false)
        try await eventually("the old text is back") { site.ingressLog.contains("Changed files are in use") }
        try site.writeChannels(["password"], raw: true)
        try await eventually("bodies are kept whole") {
            guard await post() == 200 else { return false }
            let partitions = try await log.admin.partitions(of: topics.raw)
            return try await log.admin.watermarks(of: partitions).values.contains { $0.high > 0 }
        }
        await fleet.stop()
        await transport.shutdown()
        await log.close()
    }
}

/// A folder with everything that one ingress needs.
private struct Site: Sendable {
    private let folder: URL
    private let port: Int

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "millrace-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        port = try Ports().ingress
    }

    var environment: [String: String] {
        [
            "MILLRACE_LOG": "sqlite:\(path("events.db"))", "MILLRACE_CHANNELS": path("channels.yaml"),
            "MILLRACE_INGRESS_HOST": "127.0.0.1", "MILLRACE_INGRESS_PORT": "\(port)",
            "MILLRACE_INGRESS_TLS_CERTIFICATE": path("tls.crt"), "MILLRACE_INGRESS_TLS_KEY": path("tls.key"),
        ]
    }

    func path(_ name: String) -> String { folder.appending(path: name).path }
    func remove() { try? FileManager.default.removeItem(at: folder) }
    func write(_ text: String, to name: String) throws {
        try Data(text.utf8).write(to: URL(filePath: path(name)), options: .atomic)
    }

    var ingressLog: String { (try? String(contentsOfFile: path("logs/millrace-ingress.log"), encoding: .utf8)) ?? "" }

    func openLog(without missing: Topic? = nil) async throws -> any Log {
        let silent = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let log = try await LogLocation.sqlite(path: path("events.db"))
            .open(kafkaProperties: [:], replicas: 1, logger: silent)
        if let missing {
            try await log.admin.createTopics(Topics().specs(groups: []).filter { $0.topic != missing })
        } else {
            try await Provisioning.provision(log, topics: Topics())
        }
        return log
    }

    func writeChannels(_ secrets: [String], raw: Bool = false) throws {
        let logins = secrets.map { "{ user: demo, password_file: \(path($0)) }" }.joined(separator: ", ")
        try write("channels: { demo: { raw: \(raw), webhook: { basic: [\(logins)] } } }", to: "channels.yaml")
    }

    /// The status, or nil when there was no answer.
    func post(_ transport: HTTPTransport, password: String, scheme: String = "https") async -> Int? {
        let login = Data("demo:\(password)".utf8).base64EncodedString()
        let request = HTTPRequest(
            method: "POST", url: "\(scheme)://127.0.0.1:\(port)/webhooks/demo",
            headers: [HTTPField("Authorization", "Basic \(login)")], body: Array(#"{"a":1}"#.utf8))
        return try? await transport.perform(request).status
    }

    // MARK: Certificates

    func makeCertificate(_ name: String) throws {
        let process = Process()
        process.executableURL = URL(filePath: "/usr/bin/openssl")
        process.arguments = [
            "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
            "/CN=millrace test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", path("\(name).key"), "-out",
            path("\(name).crt"),
        ]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        try #require(process.terminationStatus == 0, "openssl makes a certificate")
    }

    func install(_ name: String) throws {
        try installCertificate(name)
        try write(String(contentsOfFile: path("\(name).key"), encoding: .utf8), to: "tls.key")
    }

    func installCertificate(_ name: String) throws {
        try write(String(contentsOfFile: path("\(name).crt"), encoding: .utf8), to: "tls.crt")
    }
}
