import EventLog
import Hummingbird
import HummingbirdCore
import Logging
import Metrics
import NIOCore
import ServerTLS
import ServiceLifecycle
import Synchronization
import Telemetry

/// The endpoint as a service: it learns the idempotency keys, then listens, until it is told to stop; then requests
/// that are in are answered first.
public final class CommandsServer: Service {
    private enum Stage: Int, AtomicRepresentable { case starting, serving, stopped }

    private let api: CommandsAPI
    private let keys: KeyMemory
    private let configuration: CommandsConfiguration
    private let tls: TLSContexts?
    private let metrics: CommandsMetrics
    private let logger: Logger
    private let listening: @Sendable (Int) -> Void
    private let stage = Atomic(Stage.starting)

    /// - Parameters:
    ///   - metrics: Where `CommandsMetric` is counted.
    ///   - listening: Called with the port once it listens.
    public init(
        desk: CommandDesk, keys: KeyMemory, principals: PrincipalRegister, configuration: CommandsConfiguration,
        metrics factory: any MetricsFactory = MetricsSystem.factory, logger: Logger,
        listening: @escaping @Sendable (Int) -> Void = { _ in }
    ) throws(TLSFilesError) {
        if let files = configuration.tls { tls = try TLSContexts(files) } else { tls = nil }
        let admission = Admission(limit: configuration.maxInFlight)
        metrics = CommandsMetrics(in: factory, inFlight: { admission.count }, keys: { keys.count })
        api = CommandsAPI(
            desk: desk, principals: principals, configuration: configuration, admission: admission, metrics: metrics,
            logger: logger)
        self.keys = keys
        self.configuration = configuration
        self.logger = logger
        self.listening = listening
        if tls?.isOfUse == false { logger.warning("The TLS certificate has expired, or is not valid yet") }
    }

    /// Whether a command would be taken now, as far as the endpoint itself knows.
    public var readiness: Readiness {
        switch stage.load(ordering: .relaxed) {
        case .starting: .notReady("reading idempotency keys")
        case .serving: api.health.readiness()
        case .stopped: .notReady("not listening")
        }
    }

    /// Reads the TLS files anew, blocking, for the connections that come from now on; those that are open go on. Throws
    /// when the files are no good; then nothing has changed. Without TLS it does nothing.
    public func reloadTLS() throws(TLSFilesError) { try tls?.reload() }

    public func run() async throws {
        try await keys.start()
        let follower = Task { [keys] in await keys.follow() }
        defer { follower.cancel() }
        try await withGracefulShutdownHandler {
            try await application.run()
        } onGracefulShutdown: {
            self.stage.store(.stopped, ordering: .relaxed)
        }
        stage.store(.stopped, ordering: .relaxed)
        await keys.close()
    }

    private var application: some ApplicationProtocol {
        Application(
            router: api.router,
            server: HTTPServerBuilder { [tls, configuration, metrics, api] responder in
                Connection(
                    http: HTTP1Channel(
                        responder: responder, configuration: .init(idleTimeout: TimeAmount(configuration.idleTimeout))),
                    tls: tls, requestTimeout: TimeAmount(configuration.requestTimeout), metrics: metrics,
                    isWelcome: { api.isWelcome($0) })
            },
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port),
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.maxConnections)),
            onServerRunning: { [self] channel in
                let port = channel.localAddress?.port ?? 0
                stage.store(.serving, ordering: .relaxed)
                logger.info("commands endpoint listens", metadata: ["commands.port": "\(port)"])
                listening(port)
            },
            logger: logger)
    }
}
