import D360
import EventLog
import EventLogTesting
import Foundation
import HTTPTesting
import NIOSSL
import ServerTLS
import Telemetry
import Testing
import WhatsApp

@testable import Commands

/// The endpoint beside what it is asked: certificates, callers that change, callers that are slow or many, metrics.
@Suite struct ServingTests {
    @Test(.enabled(if: FileManager.default.isExecutableFile(atPath: Certificates.openssl), "needs the openssl tool"))
    func commandsAreTakenOverTLSAndANewCertificateIsForNewConnections() async throws {
        let certificates = try Certificates()
        defer { certificates.remove() }
        try certificates.install(certificates.first)
        let files = TLSFiles(certificatePath: certificates.certificatePath, keyPath: certificates.keyPath)
        try await Bench.run { bench in
            try await Endpoint.run(bench, configure: { $0.tls = files }) { endpoint in
                let old = HTTPTransport(HTTPTransportConfiguration(caFile: certificates.first.certificate))
                #expect(try await endpoint.post(requestBody(key: "1"), over: old).status == 202)

                try certificates.write("no certificate", to: certificates.certificatePath)
                #expect(throws: TLSFilesError.self) { try endpoint.server.reloadTLS() }
                let another = HTTPTransport(HTTPTransportConfiguration(caFile: certificates.first.certificate))
                #expect(try await endpoint.post(requestBody(key: "2"), over: another).status == 202)

                try certificates.install(certificates.second)
                try endpoint.server.reloadTLS()
                // The open connection goes on; a new one gets the new certificate.
                #expect(try await endpoint.post(requestBody(key: "3"), over: old).status == 202)
                let new = HTTPTransport(HTTPTransportConfiguration(caFile: certificates.second.certificate))
                #expect(try await endpoint.post(requestBody(key: "4"), over: new).status == 202)
                await #expect(throws: TransportError.self) {
                    let distrustful = HTTPTransport(HTTPTransportConfiguration(caFile: certificates.first.certificate))
                    _ = try await endpoint.post(requestBody(key: "5"), over: distrustful)
                }
                #expect(try await bench.commands().count == 4)
                for transport in [old, another, new] { await transport.shutdown() }
            }
        }
    }

    @Test func filesThatMakeNoTLSServerAreAnErrorAtStart() async throws {
        try await Bench.run { bench in
            var configuration = CommandsConfiguration()
            configuration.tls = TLSFiles(certificatePath: "/nowhere/crt", keyPath: "/nowhere/key")
            let keys = bench.keys()
            #expect(throws: TLSFilesError.self) {
                _ = try CommandsServer(
                    desk: bench.desk(keys), keys: keys, principals: PrincipalRegister([]), configuration: configuration,
                    logger: silent)
            }
        }
    }

    @Test func callersAndChannelsChangeWithoutARestart() async throws {
        try await Bench.run { bench in
            try await Endpoint.run(bench) { endpoint in
                let new = "a-new-token-of-shop"
                var statuses = [try await endpoint.post(requestBody()).status]
                endpoint.register.replace([(Principal(name: "shop"), [new])])
                statuses.append(try await endpoint.post(requestBody()).status)
                statuses.append(try await endpoint.post(requestBody(), token: new).status)
                endpoint.desk.replaceChannels([ChannelIdentity(name: "new", hosting: .cloud, phoneNumberID: "701")])
                statuses.append(try await endpoint.post(requestBody(), token: new).status)
                let toNew = requestBody().replacing(#""main""#, with: #""new""#)
                statuses.append(try await endpoint.post(toNew, token: new).status)
                endpoint.register.replace([])
                statuses.append(try await endpoint.post(requestBody(), token: new).status)
                #expect(statuses == [202, 401, 202, 403, 202, 401])
            }
        }
    }

    private static let head =
        "POST /v1/commands HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer \(Endpoint.token)\r\nContent-Length: 100\r\n"

    @Test(arguments: ["", "POST /v1/com", head, head + "\r\n{\"channel\":"])
    func senderWhoDoesNotFinishIsCutAndHarmsNobody(beginning: String) async throws {
        try await Bench.run { bench in
            try await Endpoint.run(bench, configure: { $0.requestTimeout = .milliseconds(500) }) { endpoint in
                let slow = try await RawClient.connect(endpoint.port)
                if !beginning.isEmpty { try await slow.send(beginning) }
                // A byte now and then buys no time.
                let dripping = Task {
                    while !Task.isCancelled, !beginning.isEmpty {
                        slow.post([UInt8(ascii: "x")])
                        try await Task.sleep(for: .milliseconds(20))
                    }
                }
                #expect(await LocalServer.eventually { slow.isClosedByPeer })
                dripping.cancel()
                #expect(try await endpoint.post(requestBody()).status == 202)
                #expect(await LocalServer.eventually { metric(endpoint, "commands_slow_senders_total") == "1" })
                #expect(try await bench.commands().count == 1)
            }
        }
    }

    /// Who asks before it sends its body (curl does from 1 MiB on) is told to go on, unless the body would be for nothing.
    @Test(arguments: [
        ("Authorization: Bearer \(Endpoint.token)", 100, "100 Continue"),
        ("Authorization: Bearer nobody", 100, "401 Unauthorized"),
        ("Authorization: Bearer \(Endpoint.token)", 9_000_000, "413 Payload Too Large"),
    ])
    func expectedContinueIsAnswered(authorization: String, length: Int, answer: String) async throws {
        try await Bench.run { bench in
            try await Endpoint.run(bench) { endpoint in
                let client = try await RawClient.connect(endpoint.port)
                try await client.send("POST /v1/commands HTTP/1.1\r\nHost: x\r\n\(authorization)\r\n")
                try await client.send("Content-Length: \(length)\r\nExpect: 100-continue\r\n\r\n")
                let whole = "HTTP/1.1 \(answer)\r\n"
                let begun = await Self.text(from: client, of: whole.utf8.count)
                #expect(begun.lowercased().hasPrefix(whole.lowercased()), "\(begun)")
                if answer.hasPrefix("100") {
                    // The body may now come in its time, and has its answer.
                    try await client.send(String(repeating: " ", count: length))
                    #expect(await Self.text(from: client, of: 40).contains("HTTP/1.1 400"))
                }
                try? await client.close()
            }
        }
    }

    /// What arrives, as soon as it has so many bytes.
    private static func text(from client: RawClient, of length: Int) async -> String {
        _ = await LocalServer.eventually { client.take { $0.count >= length ? ((), 0) : nil } != nil }
        return client.take { (String(decoding: $0, as: UTF8.self), $0.count) } ?? ""
    }

    /// Who goes on asking for leave is cut like everybody who does not finish.
    @Test func expectedContinueBuysNoTime() async throws {
        try await Bench.run { bench in
            try await Endpoint.run(bench, configure: { $0.requestTimeout = .milliseconds(500) }) { endpoint in
                let client = try await RawClient.connect(endpoint.port)
                try await client.send(Self.head + "Expect: 100-continue\r\n\r\n")
                #expect(await LocalServer.eventually { client.hasBytes })
                #expect(await LocalServer.eventually { client.isClosedByPeer })
            }
        }
    }

    /// A full disk, or a log that is away: whoever balances load learns it.
    @Test func endpointIsNotReadyWhileNothingBecomesDurable() async throws {
        try await Bench.run { bench in
            let faulty = FaultyLog(bench.log, plan: .none)
            try await Endpoint.run(bench, on: faulty, configure: { $0.deadline = .milliseconds(200) }) { endpoint in
                faulty.breakDown()
                for _ in 0..<3 {
                    let status = try await endpoint.post(requestBody()).status
                    #expect(status == 503)
                }
                #expect(endpoint.server.readiness == .notReady("the log refuses"))
                faulty.repair()
                #expect(try await endpoint.post(requestBody()).status == 202)
                #expect(endpoint.server.readiness == .ready)
            }
        }
    }

    @Test func refusalsAreForgottenWhenNobodyAsksAnyMore() {
        let health = StoreHealth()
        let now = ContinuousClock.now
        for _ in 0..<3 { health.failed(at: now) }
        #expect(!health.readiness(at: now + .seconds(9)).isReady)
        #expect(health.readiness(at: now + .seconds(10)).isReady)
    }

    @Test func callersBeyondTheLimitWaitUntilAConnectionIsFree() async throws {
        try await Bench.run { bench in
            try await Endpoint.run(bench, configure: { $0.maxConnections = 2 }) { endpoint in
                let clients = [try await RawClient.connect(endpoint.port), try await RawClient.connect(endpoint.port)]
                #expect(await LocalServer.eventually { metric(endpoint, "commands_open_connections") == "2.0" })
                let answered = Task { try await endpoint.post(requestBody()).status }
                // Connected by the kernel, and not taken by us.
                let third = try await RawClient.connect(endpoint.port)
                try await third.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                try await Task.sleep(for: .milliseconds(100))
                #expect(!third.hasBytes)
                #expect(metric(endpoint, "commands_open_connections") == "2.0")
                for client in clients { try await client.close() }
                #expect(try await answered.value == 202)
                #expect(await LocalServer.eventually { third.hasBytes })
                try await third.close()
            }
        }
    }

    @Test func requestsAreCountedByOutcomeAndNothingPersonalShows() async throws {
        try await Bench.run { bench in
            let faulty = FaultyLog(bench.log, plan: .none)
            try await Endpoint.run(bench, on: faulty) { endpoint in
                #expect(endpoint.server.readiness == .ready)
                for _ in 0..<2 { _ = try await endpoint.post(requestBody(key: "hush-key")) }
                _ = try await endpoint.post(requestBody(key: "hush-key", body: "other"))
                _ = try await endpoint.post("{")
                _ = try await endpoint.post(requestBody(), token: "hush-hush-hush-hush")
                faulty.breakDown()
                _ = try await endpoint.post(requestBody(key: "k"))
                faulty.repair()
                let outcomes = ["accepted", "repeated", "conflict", "invalid", "unauthorized", "unavailable", "too_large"]
                let counts = outcomes.map { metric(endpoint, #"commands_requests_total{outcome="\#($0)"}"#) }
                #expect(counts == ["1", "1", "1", "1", "1", "1", "0"])
                #expect(metric(endpoint, #"commands_request_duration_seconds_count{outcome="accepted"}"#) == "1")
                #expect(metric(endpoint, "commands_idempotency_keys") == "1.0")
                let text = endpoint.metrics.text()
                #expect(!text.contains("hush") && !text.contains("15550001111"))
            }
        }
    }
}

/// A value as Prometheus would read it now.
private func metric(_ endpoint: Endpoint, _ series: String) -> String? {
    endpoint.metrics.text().split(separator: "\n").first { $0.hasPrefix(series + " ") }
        .map { String($0.dropFirst(series.count + 1)) }
}
