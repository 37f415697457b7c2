import D360
import EventLog
import Hummingbird
import Logging
import ServiceLifecycle
import Synchronization

/// A 360dialog that runs on this machine: takes sends, calls webhooks back, and plays customers who write.
///
/// Server: `POST /messages`, `POST /v1/messages`, `PUT /v1/messages/{id}`, `GET` and `POST /v1/configs/webhook`, each
/// with `D360-API-KEY`; and, without a key because they belong to the simulator and not to 360dialog,
/// `GET /simulator/report`, `GET` and `POST /simulator/customers/{phone}/messages`.
///
/// Every event is delivered at least once: a webhook that does not answer 200 within 5 seconds is called again with
/// exponential backoff for up to 7 days. Nothing outlives the process.
public final class Simulator: Service {
    /// How often the customers and the queue of deliveries are looked at.
    private static let pulse = Duration.milliseconds(5)

    private let configuration: SimulatorConfiguration
    private let client: any WebhookClient
    private let logger: Logger
    private let state: Mutex<SimulatorState>
    private let boundPort = Promise<Int>()
    private let clock: @Sendable () -> Timestamp

    /// Calls webhooks through `transport`, which the caller shuts down after `run` has returned.
    public convenience init(_ configuration: SimulatorConfiguration, transport: HTTPTransport, logger: Logger) {
        self.init(configuration, client: TransportWebhookClient(transport: transport), logger: logger)
    }

    init(_ configuration: SimulatorConfiguration, client: any WebhookClient, logger: Logger) {
        self.configuration = configuration
        self.client = client
        self.logger = logger
        // Wall time that no adjustment of the system's clock bends.
        let (wall, origin) = (Timestamp.now, ContinuousClock.now)
        clock = { wall + origin.duration(to: .now) }
        state = Mutex(SimulatorState(configuration, start: wall))
    }

    /// Serves, delivers and writes until graceful shutdown or cancellation; then ends at once, because undelivered
    /// events would need the pipeline that is stopping too.
    public func run() async throws {
        let server = Application(
            router: SimulatorAPI(self).router,
            configuration: .init(address: .hostname(configuration.host, port: configuration.port)),
            onServerRunning: { [boundPort, logger] channel in
                let port = channel.localAddress?.port ?? 0
                logger.info("simulator listens", metadata: ["simulator.port": "\(port)"])
                boundPort.fulfil(port)
            },
            logger: logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            group.addTask { [self] in await cancelWhenGracefulShutdown { await self.pump() } }
            do {
                // Both end by themselves at a graceful shutdown: cancelling the server in the middle of its own is an
                // error. The first failure ends the other one.
                for try await _ in group {}
            } catch {
                boundPort.fail(error)
                throw error
            }
        }
    }

    /// The port it listens on, once it does. Throws when it could not.
    public func port() async throws -> Int { try await boundPort.value() }

    public func report() -> SimulatorReport { state.withLock { $0.report() } }

    /// Lets a customer, one of the simulated or any other, write a text. Returns the message's id, or nil when too
    /// many events wait for their 200.
    @discardableResult
    public func write(
        _ text: String, from phone: String, name: String = "Guest", number: Int = 0, expectsReply: Bool = true
    ) -> String? {
        state.withLock {
            $0.inject(text, phone: phone, name: name, number: number, expectsReply: expectsReply, at: clock())
        }
    }

    /// The last messages the business sent to that phone, oldest first.
    public func received(by phone: String) -> [ReceivedMessage] { state.withLock { $0.received(phone: phone) } }

    // MARK: For the API

    var responseDelay: Duration { configuration.responseDelay }

    /// The first number when no id is given.
    func index(phoneNumberID: String?) -> Int? {
        guard let phoneNumberID else { return 0 }
        return configuration.numbers.firstIndex { $0.phoneNumberID == phoneNumberID }
    }

    func withState<Result: Sendable>(_ body: (inout SimulatorState, Timestamp) -> Result) -> Result {
        state.withLock { body(&$0, clock()) }
    }

    // MARK: Deliveries

    private func pump() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                for call in state.withLock({ $0.tick(clock()) }) {
                    group.addTask { await self.deliver(call) }
                }
                try? await Task.sleep(for: Self.pulse)
            }
        }
    }

    private func deliver(_ call: SimulatorState.Call) async {
        let start = ContinuousClock.now
        var status: Int?
        if let webhook = call.webhook {
            status = await client.post(call.delivery.body, to: webhook, timeout: configuration.webhooks.timeout)
        }
        let took = start.duration(to: .now)
        state.withLock { $0.called(call.delivery, status: status, took: took, at: clock()) }
    }
}
