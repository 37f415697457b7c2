import EventLog
import Hummingbird
import HummingbirdCore
import Logging
import ServiceLifecycle

/// The endpoint as a service: it learns the idempotency keys, then listens, until it is told to stop; then requests
/// that are in are answered first.
public final class CommandsServer: Service {
    private let api: CommandsAPI
    private let keys: KeyMemory
    private let configuration: CommandsConfiguration
    private let logger: Logger
    private let listening: @Sendable (Int) -> Void

    /// - Parameter listening: Called with the port once it listens.
    public init(
        desk: CommandDesk, keys: KeyMemory, principals: PrincipalRegister, configuration: CommandsConfiguration,
        logger: Logger, listening: @escaping @Sendable (Int) -> Void = { _ in }
    ) {
        api = CommandsAPI(desk: desk, principals: principals, configuration: configuration, logger: logger)
        self.keys = keys
        self.configuration = configuration
        self.logger = logger
        self.listening = listening
    }

    public func run() async throws {
        try await keys.start()
        let server = Application(
            router: api.router,
            // A caller who says nothing for half a minute is disconnected.
            server: .http1(configuration: .init(idleTimeout: .seconds(30))),
            configuration: .init(
                address: .hostname(configuration.host, port: configuration.port),
                availableConnectionsDelegate: MaximumAvailableConnections(configuration.maxConnections)),
            onServerRunning: { [listening, logger] channel in
                let port = channel.localAddress?.port ?? 0
                logger.info("commands endpoint listens", metadata: ["commands.port": "\(port)"])
                listening(port)
            },
            logger: logger)
        let follower = Task { [keys] in await keys.follow() }
        defer { follower.cancel() }
        try await server.run()
        await keys.close()
    }
}
