import Hummingbird
import Logging
import ServiceLifecycle
import Telemetry

/// What a program tells about itself, on a port of its own that the public never reaches.
///
/// | path | answer |
/// |---|---|
/// | `/livez` | 200 while the process answers at all; restart it when it does not |
/// | `/readyz` | 200 or 503, with the checks by name as JSON; 503 before the start is over and from the begin of a stop |
/// | `/metrics` | Prometheus text, or OpenMetrics when asked for |
///
/// It stands outside of the services that it tells about: it answers before they start and until they have stopped.
struct AdminServer: Sendable {
    let port: Int
    private let services: ServiceGroup
    private let running: Task<Void, any Error>

    /// Returns when the port is open.
    static func start(
        _ settings: AdminSettings, health: Health, registry: PrometheusRegistry, logger: Logger
    ) async throws -> AdminServer {
        var quiet = logger
        // The server's own lines about each connection are nobody's business here.
        quiet.logLevel = max(logger.logLevel, .warning)
        let (opened, open) = AsyncStream<Int>.makeStream()
        let application = Application(
            router: router(health, registry),
            configuration: .init(address: .hostname(settings.host, port: settings.port)),
            onServerRunning: { channel in open.yield(channel.localAddress?.port ?? settings.port) }, logger: quiet)
        var group = ServiceGroupConfiguration(services: [application], logger: quiet)
        // Who reads slowly must not keep the process.
        group.maximumGracefulShutdownDuration = .seconds(2)
        let services = ServiceGroup(configuration: group)
        let running = Task {
            defer { open.finish() }
            try await services.run()
        }
        for await port in opened {
            logger.info("admin port is open", metadata: ["admin.port": "\(port)"])
            return AdminServer(port: port, services: services, running: running)
        }
        throw SettingError("MILLRACE_ADMIN_PORT", "cannot listen on \(settings.host):\(settings.port)")
    }

    func stop() async {
        await services.triggerGracefulShutdown()
        _ = await running.result
    }

    private static func router(_ health: Health, _ registry: PrometheusRegistry) -> Router<BasicRequestContext> {
        // Some balancers ask with HEAD.
        let router = Router(options: .autoGenerateHeadEndpoints)
        router.get("livez") { _, _ in response(.ok, "application/json", Array(#"{"status":"alive"}"#.utf8)) }
        router.get("readyz") { _, _ in
            let report = health.report
            return response(report.isReady ? .ok : .serviceUnavailable, "application/json", report.json)
        }
        router.get("metrics") { request, _ in
            let format = PrometheusFormat(accept: request.headers[.accept])
            return response(.ok, format.contentType, Array(registry.text(format).utf8))
        }
        return router
    }

    private static func response(_ status: HTTPResponse.Status, _ contentType: String, _ body: [UInt8]) -> Response {
        Response(
            status: status, headers: [.contentType: contentType, .cacheControl: "no-store"],
            body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }
}
