import Hummingbird
import Logging
import Synchronization
import WhatsApp

/// A webhook on a real socket that answers as told and keeps what it got.
final class WebhookReceiver: Sendable {
    struct Request: Sendable {
        let path: String
        let authorization: String?
        let body: JSON
    }

    private let state = Mutex<(requests: [Request], answers: [Int])>(([], []))
    /// Statuses for the first requests; later ones get 200.
    init(answers: [Int] = []) { state.withLock { $0.answers = answers } }

    var requests: [Request] { state.withLock { $0.requests } }
    /// All statuses received, in order of arrival.
    var statuses: [JSON] {
        requests.flatMap { request in
            let value = request.body["entry"]?.elements.first?["changes"]?.elements.first?["value"] ?? request.body
            return value["statuses"]?.elements ?? []
        }
    }

    /// Serves while `body` runs, which gets the port.
    func serve<Result: Sendable>(_ body: @escaping @Sendable (Int) async throws -> Result) async throws -> Result {
        let router = Router()
        router.post("**") { [self] request, _ in
            let bytes = Array(buffer: try await request.body.collect(upTo: 1 << 20))
            let received = Request(
                path: request.uri.path, authorization: request.headers[.authorization], body: try JSON(parsing: bytes))
            let status = state.withLock { state in
                state.requests.append(received)
                return state.answers.isEmpty ? 200 : state.answers.removeFirst()
            }
            return Response(status: .init(code: status))
        }
        let (ports, ready) = AsyncStream.makeStream(of: Int.self)
        var logger = Logger(label: "webhook-receiver")
        logger.logLevel = .critical
        let server = Application(
            router: router, configuration: .init(address: .hostname("127.0.0.1", port: 0)),
            onServerRunning: { channel in ready.yield(channel.localAddress?.port ?? 0) }, logger: logger)
        return try await whileRunning({ try await server.run() }) {
            var iterator = ports.makeAsyncIterator()
            return try await body(await iterator.next() ?? 0)
        }
    }
}

/// Runs `background` while `body` runs, then cancels it.
func whileRunning<Result: Sendable>(
    _ background: @escaping @Sendable () async throws -> Void, _ body: @escaping @Sendable () async throws -> Result
) async throws -> Result {
    try await withThrowingTaskGroup(of: Result?.self) { group in
        group.addTask {
            try await background()
            return nil
        }
        group.addTask { try await body() }
        defer { group.cancelAll() }
        while let result = try await group.next() {
            if let result { return result }
        }
        throw CancellationError()
    }
}

/// Waits until `condition` holds; throws after half a minute.
func eventually(_ what: String, _ condition: () async throws -> Bool) async throws {
    let deadline = ContinuousClock.now + .seconds(30)
    while try await !condition() {
        guard ContinuousClock.now < deadline else { throw TimedOut(what: what) }
        try await Task.sleep(for: .milliseconds(5))
    }
}

struct TimedOut: Error { let what: String }
