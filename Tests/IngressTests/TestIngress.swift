import EventLog
import EventLogTesting
import Logging
import Metrics
import NIOCore
import ServiceLifecycle
import Synchronization
import Testing
import WhatsApp

@testable import Ingress

/// Runs a server on a free port of this machine while `body` runs, then stops it gracefully.
func withIngress(
    _ producer: any Producer, topics: Topics = Topics(), logs: RecordedLog = RecordedLog(),
    metrics: any MetricsFactory = NOOPMetricsHandler.instance, clock: DeadlineClock? = nil,
    configure: (inout IngressConfiguration) -> Void = { _ in },
    _ body: (TestIngress) async throws -> Void
) async throws {
    let server = try TestIngress.makeServer(
        producer, topics: topics, logs: logs, metrics: metrics, clock: clock, configure: configure)
    let services = ServiceGroup(
        configuration: ServiceGroupConfiguration(services: [server], logger: Logger(label: "test") { _ in logs }))
    let running = Task { try await services.run() }
    do {
        try await body(TestIngress(server: server, port: server.port, services: services))
        await services.triggerGracefulShutdown()
        try await running.value
    } catch {
        running.cancel()
        _ = await running.result
        throw error
    }
}

struct TestIngress {
    let server: IngressServer
    let port: Int
    let services: ServiceGroup

    static func makeServer(
        _ producer: any Producer, topics: Topics = Topics(), logs: RecordedLog = RecordedLog(),
        metrics: any MetricsFactory = NOOPMetricsHandler.instance, clock: DeadlineClock? = nil,
        configure: (inout IngressConfiguration) -> Void = { _ in }
    ) throws -> IngressServer {
        var configuration = IngressConfiguration(
            channels: [
                IngressChannel(identity: .init(name: "shop", hosting: .cloud), authentication: shopLogin),
                IngressChannel(identity: .init(name: "onprem", hosting: .onPremise), authentication: shopLogin),
                IngressChannel(
                    identity: .init(name: "secret", hosting: .cloud),
                    authentication: .header(name: "X-Webhook-Secret", value: "s3cret-value")),
                IngressChannel(identity: .init(name: "open", hosting: .cloud), authentication: .none),
            ],
            account: IngressChannel(identity: .init(name: "account", hosting: .cloud), authentication: shopLogin))
        configuration.host = "127.0.0.1"
        configuration.port = 0
        // Tests of the deadline set their own; the others shall not depend on how fast the disk is.
        configuration.ackDeadline = .seconds(60)
        // The tests' clients often do not close on their side.
        configuration.lingerTimeout = .milliseconds(500)
        configure(&configuration)
        return try IngressServer(
            configuration: configuration, producer: producer, topics: topics,
            logger: Logger(label: "ingress") { _ in logs }, metrics: metrics, now: { Timestamp(seconds: 1_800_000_000) },
            clock: { clock?.now ?? .now() })
    }

    static let shopLogin = WebhookAuthentication.basic(user: "testuser", password: "testpass")
    /// The documentation's example of testuser:testpass.
    static let shopHeader = "Authorization: Basic dGVzdHVzZXI6dGVzdHBhc3M=\r\n"

    func connect() async throws -> TestClient { try await TestClient.connect(port) }

    /// Sends one request on a connection of its own.
    func answer(to request: [UInt8], toHead: Bool = false) async throws -> TestClient.Response {
        let client = try await connect()
        client.post(request)
        let response = try await client.response(toHead: toHead)
        try? await client.close()
        return response
    }

    /// Sends one request on a connection of its own, which must get this status.
    func expect(
        _ status: Int, to request: [UInt8], _ comment: Comment? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let response = try await answer(to: request)
        #expect(response.status == status, comment, sourceLocation: sourceLocation)
    }

    func answer(to request: String, toHead: Bool = false) async throws -> TestClient.Response {
        try await answer(to: Array(request.utf8), toHead: toHead)
    }
}

/// What a server's deadlines are measured with, standing still until a test moves it.
final class DeadlineClock: Sendable {
    private let nanoseconds = Atomic<UInt64>(1_000_000_000)

    var now: NIODeadline { .uptimeNanoseconds(nanoseconds.load(ordering: .relaxed)) }

    func advance(by time: TimeAmount) { nanoseconds.add(UInt64(time.nanoseconds), ordering: .relaxed) }
}

/// The bytes of a POST with its length.
func post(
    _ body: [UInt8], to path: String = "/webhooks/shop", headers: String = TestIngress.shopHeader
) -> [UInt8] {
    Array("POST \(path) HTTP/1.1\r\nHost: hooks.example\r\n\(headers)Content-Length: \(body.count)\r\n\r\n".utf8) + body
}

func post(_ body: String, to path: String = "/webhooks/shop", headers: String = TestIngress.shopHeader) -> [UInt8] {
    post(Array(body.utf8), to: path, headers: headers)
}

/// A body of one text message.
func message(_ id: String, from: String = "15550001111", text: String = "hello") -> String {
    """
    {"object":"whatsapp_business_account","entry":[{"id":"1","changes":[{"field":"messages","value":{\
    "messaging_product":"whatsapp","metadata":{"display_phone_number":"15559990000","phone_number_id":"700"},\
    "messages":[{"from":"\(from)","id":"\(id)","timestamp":"1790000007","type":"text","text":{"body":"\(text)"}}]}}]}]}
    """
}

/// A log whose word the test holds in its hand.
final class TestProducer: Producer {
    typealias Completion = @Sendable (Result<[RecordPosition], LogError>) -> Void
    enum Mode {
        case accept, hold
        case fail(LogError.Code)
    }
    private struct State {
        var mode: Mode
        var sent: [[Record]] = []
        var held: [Completion] = []
    }
    private let state: Mutex<State>

    init(_ mode: Mode = .accept) { state = Mutex(State(mode: mode)) }

    func send(_ records: [Record], completion: @escaping Completion) {
        let mode = state.withLock { state -> Mode in
            state.sent.append(records)
            if case .hold = state.mode { state.held.append(completion) }
            return state.mode
        }
        switch mode {
        case .accept: completion(.success([]))
        case .hold: break
        case .fail(let code): completion(.failure(LogError(code, "test")))
        }
    }

    func set(_ mode: Mode) { state.withLock { $0.mode = mode } }
    /// The records of each call, in order.
    var sent: [[Record]] { state.withLock { $0.sent } }
    var heldCount: Int { state.withLock { $0.held.count } }

    /// Gives its word on everything held back.
    func release(_ result: Result<[RecordPosition], LogError> = .success([])) {
        let held = state.withLock { state in
            defer { state.held = [] }
            return state.held
        }
        for completion in held { completion(result) }
    }
}
