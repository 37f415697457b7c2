import D360
import EventLog
import Foundation
import Synchronization
import Testing
import WhatsApp

/// What a load balancer and a caller see of a stop: the stage as a real process, told to stop in the middle of load.
@Suite struct GracefulStopTests {
    @Test func aStopOfTheIngressUnderLoadLosesNothingThatWasAcknowledged() async throws {
        let ingress = try await Ingress.start(drain: .milliseconds(1_000))
        try await stopsUnderLoad(
            ingress.stage, acknowledged: { ingress.acknowledged }, topic: ingress.stage.topics.messages
        ) { await ingress.post("wamid.\($0)") }
    }

    @Test func aStopOfTheCommandsEndpointUnderLoadLosesNothingThatWasAcknowledged() async throws {
        let commands = try await CommandsEndpoint.start(drain: .milliseconds(1_000))
        try await stopsUnderLoad(
            commands.stage, acknowledged: { commands.acknowledged }, topic: commands.stage.topics.outbound
        ) { await commands.post(key: $0) }
    }

    private func stopsUnderLoad(
        _ stage: StageProcess, acknowledged: @escaping @Sendable () -> Set<String>, topic: Topic,
        _ call: @escaping @Sendable (_ name: String) async -> Int?
    ) async throws {
        try await eventually("it is ready") { await stage.get("/readyz") == 200 }
        let load = Task { await StageProcess.load(connections: 8, call) }
        try await eventually("calls are taken") { acknowledged().count > 100 }
        #expect(await stage.get("/livez") == 200)
        stage.terminate()
        try await eventually("it says that it is not ready") { await stage.get("/readyz") == 503 }
        // Not ready comes first: what arrives now is still taken.
        let before = acknowledged().count
        try await eventually("calls are still taken") { acknowledged().count > before }
        #expect(await stage.get("/livez") == 200)
        #expect(try await stage.exitStatus() == .exited(0))
        load.cancel()
        await load.value
        #expect(acknowledged().count > before)
        let stored = try await stage.storedIDs(topic)
        #expect(acknowledged().subtracting(stored) == [])
        try await stage.remove()
    }

    /// Everything that a stop may wait for at once: a long delay, a body that does not end, a log that is gone and has
    /// records in flight. What is promised is 25 s in all.
    @Test func aStopEndsInTimeWhateverItWaitsFor() async throws {
        let ingress = try await Ingress.start(drain: .seconds(10)) { directory in
            ["MILLRACE_LOG": "kafka://127.0.0.1:1", "MILLRACE_SPILL": "\(directory)/spill"]
        }
        let stage = ingress.stage
        try await eventually("webhooks are answered from the spill") { await ingress.post("wamid.1") == 200 }
        let sender = try SlowSender(port: stage.port)
        try await eventually("the body is being received") {
            let text = await stage.text("/metrics")
            return text.contains("\ningress_in_flight_bytes ") && !text.contains("\ningress_in_flight_bytes 0.0\n")
        }
        let begin = ContinuousClock.now
        stage.terminate()
        #expect(try await stage.exitStatus() == .exited(0))
        #expect(ContinuousClock.now - begin < .seconds(25))
        sender.close()
        try await stage.remove()
    }

    @Test func aStopWhileTheLogIsLookedForIsGraceful() async throws {
        let ingress = try await Ingress.start { _ in ["MILLRACE_LOG": "kafka://127.0.0.1:1"] }
        let stage = ingress.stage
        try await eventually("it is on its way") { await stage.get("/livez") == 200 }
        stage.terminate()
        #expect(try await stage.exitStatus() == .exited(0))
        try await stage.remove()
    }

    @Test func theMetricsOfTheIngressAreThoseOfItsTraffic() async throws {
        let ingress = try await Ingress.start()
        let stage = ingress.stage
        try await eventually("it is ready") { await stage.get("/readyz") == 200 }
        for number in 0..<20 { #expect(await ingress.post("wamid.\(number)") == 200) }
        let text = await stage.text("/metrics")
        #expect(text.contains("\nhttp_server_request_duration_seconds_count{http_response_status_code=\"200\"} 20\n"))
        #expect(text.contains("\nwhatsapp_events_received_total{kind=\"messages\"} 20\n"))
        #expect(text.contains("\nservice_ready 1.0\n"))
        #expect(!text.contains("wamid") && !text.contains("15550001111"))
        stage.terminate()
        #expect(try await stage.exitStatus() == .exited(0))
        try await stage.remove()
    }

    @Test func theCommandsEndpointTakesNewTokensAndShowsItsTraffic() async throws {
        let commands = try await CommandsEndpoint.start()
        let stage = commands.stage
        try await eventually("it is ready") { await stage.get("/readyz") == 200 }
        #expect(await commands.post(key: "1") == 202)
        #expect(await commands.post(key: "2", token: "another-token-of-shop") == 401)
        try stage.write("another-token-of-shop\n", to: "tokens")
        try await eventually("the new token is known") {
            await commands.post(key: "2", token: "another-token-of-shop") == 202
        }
        #expect(await commands.post(key: "3") == 401)
        // What is no good changes nothing.
        try stage.write("short\n", to: "tokens")
        try await eventually("it is said in the log") {
            let text = try String(contentsOfFile: "\(stage.directory)/millrace-commands.log", encoding: .utf8)
            return text.contains("principals.shop.token") && !text.contains("token-of-shop")
        }
        #expect(await commands.post(key: "4", token: "another-token-of-shop") == 202)
        let text = await stage.text("/metrics")
        #expect(text.contains("\ncommands_requests_total{outcome=\"accepted\"} 3\n"))
        #expect(text.contains("\nservice_ready 1.0\n"))
        #expect(await stage.text("/readyz").contains("commands"))
        #expect(!text.contains("token-of-shop") && !text.contains("15550001111"))
        stage.terminate()
        #expect(try await stage.exitStatus() == .exited(0))
        try await stage.remove()
    }
}

/// `millrace-ingress` with one channel.
private final class Ingress: Sendable {
    let stage: StageProcess
    private let taken = Mutex<Set<String>>([])

    var acknowledged: Set<String> { taken.withLock { $0 } }

    static func start(
        drain: Duration = .zero, settings: @escaping (_ directory: String) -> [String: String] = { _ in [:] }
    ) async throws -> Ingress {
        let channels = """
            channels:
              demo:
                webhook: { basic: { user: demo, password: secret } }
            """
        return Ingress(
            try await StageProcess.start("millrace-ingress", drain: drain, files: ["channels.yaml": channels]) {
                [
                    "MILLRACE_CHANNELS": "\($0)/channels.yaml", "MILLRACE_INGRESS_HOST": "127.0.0.1",
                    "MILLRACE_INGRESS_PORT": "\($1)",
                ].merging(settings($0)) { $1 }
            })
    }

    private init(_ stage: StageProcess) { self.stage = stage }

    func post(_ id: String) async -> Int? {
        let body = """
            {"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{\
            "metadata":{"display_phone_number":"15559990000","phone_number_id":"700"},"messages":[{"from":"15550001111",\
            "id":"\(id)","timestamp":"\(Timestamp.now.milliseconds / 1_000)","type":"text","text":{"body":"hi"}}]}}]}]}
            """
        let login = "Basic " + Data("demo:secret".utf8).base64EncodedString()
        let request = HTTPRequest(
            url: "http://127.0.0.1:\(stage.port)/webhooks/demo", headers: [HTTPField("Authorization", login)],
            body: Array(body.utf8))
        let status = try? await stage.transport.perform(request).status
        if status == 200 { taken.withLock { _ = $0.insert(id) } }
        return status
    }
}

/// Sends the head of a good webhook and one byte of its body, and no more.
private struct SlowSender {
    private let descriptor: Int32

    init(port: Int) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7f00_0001).bigEndian
        let isConnected = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { [descriptor] in
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        try #require(isConnected)
        let login = Data("demo:secret".utf8).base64EncodedString()
        let head = "POST /webhooks/demo HTTP/1.1\r\nHost: a\r\nAuthorization: Basic \(login)\r\nContent-Length: 1000\r\n\r\n{"
        try #require(send(descriptor, head, head.utf8.count, 0) == head.utf8.count)
    }

    func close() { Glibc.close(descriptor) }
}

/// `millrace-commands` with one channel and one caller.
private final class CommandsEndpoint: Sendable {
    static let token = "first-token-of-shop"
    let stage: StageProcess
    private let taken = Mutex<Set<String>>([])

    /// Ids of commands that were answered 202.
    var acknowledged: Set<String> { taken.withLock { $0 } }

    static func start(drain: Duration = .zero) async throws -> CommandsEndpoint {
        let channels = """
            channels:
              demo:
                phone_number_id: "700"
                webhook: { basic: { user: demo, password: secret } }
                api_key: test-key
            """
        return CommandsEndpoint(
            try await StageProcess.start(
                "millrace-commands", drain: drain, files: ["channels.yaml": channels, "tokens": token + "\n"]
            ) { directory, port in
                let principals = "principals: { shop: { token_file: \(directory)/tokens } }"
                try? Data(principals.utf8).write(to: URL(fileURLWithPath: "\(directory)/principals.yaml"))
                return [
                    "MILLRACE_CHANNELS": "\(directory)/channels.yaml",
                    "MILLRACE_COMMANDS_PRINCIPALS": "\(directory)/principals.yaml", "MILLRACE_COMMANDS_PORT": "\(port)",
                ]
            })
    }

    private init(_ stage: StageProcess) { self.stage = stage }

    func post(key: String, token: String = CommandsEndpoint.token) async -> Int? {
        let body = """
            {"channel":"demo","to":"15550001111","purpose":"utility","idempotency_key":"\(key)",\
            "message":{"type":"text","text":{"body":"hi"}}}
            """
        let request = HTTPRequest(
            url: "http://127.0.0.1:\(stage.port)/v1/commands", headers: [HTTPField("Authorization", "Bearer \(token)")],
            body: Array(body.utf8))
        guard let answer = try? await stage.transport.perform(request) else { return nil }
        if answer.status == 202, let id = (try? JSON(parsing: answer.body))?["command_id"]?.string {
            taken.withLock { _ = $0.insert(id) }
        }
        return answer.status
    }
}
