import EventLog
import Foundation
import Logging
import Metrics
import Processing
import ServiceLifecycle
import Synchronization
import Telemetry
import WhatsApp

/// What a program has at hand when it starts.
public struct Host: Sendable {
    public let settings: Settings
    public let environment: [String: String]
    public let logger: Logger
    public let log: any Log
    /// What `/readyz` says: add what must hold for this program to be of use.
    public let health: Health
    private let companions = Companions()
    /// True in a replay: what the processor does to the outside, beside its records, must not happen.
    public internal(set) var withholdsEffects = false

    /// Runs a service of the processor's own beside its runtime; it is stopped after it.
    public func runAlongside(_ service: any Service) { companions.services.withLock { $0.append(service) } }
    var alongside: [any Service] { companions.services.withLock { $0 } }

    /// The channels of `MILLRACE_CHANNELS`; throws when the setting is missing or the file is wrong.
    public func channels() throws -> Channels { try Channels.load(environment: environment) }
}

/// Shared by the copies of one `Host`.
private final class Companions: Sendable {
    let services = Mutex<[any Service]>([])
}

/// The way every Millrace program starts and ends: settings, logging, the log, services, signals, exit code.
///
/// SIGTERM and SIGINT stop gracefully; a second one, or 25 s in all (see `StopBudget`), ends the process at once. Exit
/// code 0 after a graceful stop, 78 for a bad setting, 1 for everything else.
///
/// With `MILLRACE_ADMIN_PORT` every program answers `/livez`, `/readyz` and `/metrics` from before its start until after
/// its end. A stop begins with "not ready", then `MILLRACE_DRAIN_MS`, then the services stop, the last one first, then
/// the log is flushed.
public enum MillraceService {
    /// Runs one processor as its command line says, by default until it is told to stop. The whole `main.swift` of a
    /// processor is this call.
    public static func main(processor make: @escaping @Sendable (Host) async throws -> any Processor) async -> Never {
        let command = ProcessorProgram.parsed()
        await main(named: ProcessInfo.processInfo.processName, creatingLog: command.createsLog) { host in
            var host = host
            host.withholdsEffects = command.withholdsEffects
            let processor = try await make(host)
            if processor.state != .none { try host.settings.checkStateDirectory() }
            return try await command.services(for: processor, host)
        }
    }

    /// The processor's runtime, and before it, so that it stops later, what watches it.
    static func runtime(_ processor: some Processor, on host: Host) -> [any Service] {
        let group = host.settings.topics.group(of: processor.name)
        let runtime = ProcessorRuntime(
            processor: processor, log: host.log, configuration: host.runtimeConfiguration, clock: ContinuousClock(),
            wallTime: { .now }, observer: ProcessorMetrics(group: group, inputs: processor.subscription),
            logger: host.logger)
        if host.settings.admin == nil { return [ProcessorService(runtime)] }
        if processor.state != .none {
            let directory = host.settings.stateDirectory
            host.health.add("state disk") { DiskRoom.readiness(at: directory) }
        }
        let watch = ProcessorWatch(
            group: group, source: runtime, log: host.log,
            stateDirectory: processor.state == .none ? nil : host.settings.stateDirectory, clock: ContinuousClock(),
            wallTime: { .now }, logger: host.logger)
        host.health.add("processor") { watch.readiness }
        return [host.logProbe(), watch, ProcessorService(runtime)]
    }

    /// Runs services on the log, in the order given, until one ends or the process is told to stop.
    public static func main(
        named name: String, creatingLog: Bool = true,
        services make: @escaping @Sendable (Host) async throws -> [any Service]
    ) async -> Never {
        await guarded(name) { program in
            let settings = program.settings
            guard creatingLog || settings.log.exists else {
                throw SettingError("MILLRACE_LOG", "there is no log at \(settings.log)")
            }
            let log = try await open(settings, program.logger)
            do {
                let host = Host(
                    settings: settings, environment: program.environment, logger: program.logger, log: log,
                    health: program.health)
                try await run(make(host), program)
            } catch {
                await log.close()
                throw error
            }
            await log.close()
        }
    }

    private static func open(_ settings: Settings, _ logger: Logger) async throws -> any Log {
        do {
            return try await settings.log.open(
                kafkaProperties: settings.kafkaProperties, replicas: settings.replicas, logger: logger)
        } catch let error as LogError {
            throw StartError("MILLRACE_LOG", "\(error)")
        }
    }

    /// The same for a program that needs no log.
    public static func main(
        withoutLogNamed name: String, services make: @escaping @Sendable (Logger) async throws -> [any Service]
    ) async -> Never {
        await guarded(name) { program in try await run(make(program.logger), program) }
    }

    private struct Program {
        let settings: Settings
        let environment: [String: String]
        let logger: Logger
        let health = Health()
        let earlyStop: EarlyStop

        /// A misspelt setting would otherwise be silently without effect. Names alone: a value may be a secret.
        func tellStrangers(_ name: String) {
            let strangers = KnownSettings.strangers(in: environment, of: name)
            if strangers.isEmpty { return }
            logger.warning(
                "The environment has settings that no Millrace program knows; they have no effect",
                metadata: ["settings.unknown": "\(strangers.prefix(20).joined(separator: ", "))"])
        }
    }

    /// Settings, logging and the admin port before, one readable line and the exit code after.
    private static func guarded(_ name: String, _ body: @Sendable (Program) async throws -> Void) async -> Never {
        let environment = ProcessInfo.processInfo.environment
        OpenFiles.raiseLimit()
        do {
            let settings = try await Settings.load(environment: environment)
            LoggingSystem.bootstrap { label in JSONLogHandler(label: label, logLevel: settings.logLevel) }
            let logger = Logger(label: name)
            let program = Program(
                settings: settings, environment: environment, logger: logger, earlyStop: await EarlyStop(logger))
            program.tellStrangers(name)
            let admin = try await openAdminPort(of: program)
            try await body(program)
            await admin?.stop()
            program.logger.info("stopped")
            exit(0)
        } catch let error as SettingError {
            end("\(name): \(error)", 78)
        } catch let error as LogError {
            end("\(name): \(error)", 1)
        } catch let error as any ReadableError {
            end("\(name): \(error)", 1)
        } catch {
            // The type alone: an arbitrary error's text may quote a payload.
            end("\(name): stopped by \(type(of: error))", 1)
        }
    }

    /// The last line, behind those of the log.
    private static func end(_ line: String, _ code: Int32) -> Never {
        LogLines.standardError.add(Array((line + "\n").utf8))
        exit(code)
    }

    /// Before anything makes a metric: what is made earlier counts for nobody.
    private static func openAdminPort(of program: Program) async throws -> AdminServer? {
        guard let settings = program.settings.admin else { return nil }
        let registry = PrometheusRegistry()
        MetricsSystem.bootstrap(registry)
        ProcessMetrics.observe(program.health, in: registry)
        return try await AdminServer.start(
            settings, health: program.health, registry: registry, logger: program.logger)
    }

    private static func run(_ services: [any Service], _ program: Program) async throws {
        var configurations = services.map {
            ServiceGroupConfiguration.ServiceConfiguration(
                service: $0, successTerminationBehavior: .gracefullyShutdownGroup)
        }
        if program.environment["MILLRACE_PARENT"] == "stdin" {
            configurations.append(.init(service: ParentWatch(), successTerminationBehavior: .gracefullyShutdownGroup))
        }
        // The last service is told to stop first, and the others when it has ended.
        let notice = DrainNotice(
            health: program.health, delay: program.settings.drainDelay, logger: program.logger,
            earlyStop: program.earlyStop)
        configurations.append(.init(service: notice, successTerminationBehavior: .gracefullyShutdownGroup))
        var group = ServiceGroupConfiguration(
            services: configurations, gracefulShutdownSignals: [.sigterm, .sigint], logger: program.logger)
        group.maximumGracefulShutdownDuration = StopBudget.services
        program.health.start()
        program.logger.info("started")
        try await ServiceGroup(configuration: group).run()
    }
}

/// Says "not ready" before anything else of a stop happens, and gives those who ask some time to hear it.
private struct DrainNotice: Service {
    let health: Health
    let delay: Duration
    let logger: Logger
    let earlyStop: EarlyStop

    func run() async throws {
        // Signals come to the services before these run.
        earlyStop.end()
        try? await gracefulShutdown()
        StopBudget.watch(logger)
        health.drain()
        try? await Task.sleep(for: delay)
    }
}

extension Host {
    /// Watches whether the log can be reached, as the check `log`; a service to run before those that need the log.
    public func logProbe() -> any Service {
        let probe = LogProbe(log, clock: ContinuousClock())
        health.add("log") { probe.readiness }
        if case .sqlite(let path) = settings.log { health.add("log disk") { DiskRoom.readiness(at: path) } }
        return probe
    }

    var runtimeConfiguration: ProcessorRuntimeConfiguration {
        var configuration = ProcessorRuntimeConfiguration()
        configuration.stateDirectory = settings.stateDirectory
        configuration.installation = settings.topics.installation
        configuration.controlTopic = settings.topics.control
        configuration.start =
            switch settings.start {
            case .committed: .requireCommit
            case .earliest: .earliest
            case .latest: .latest
            }
        return configuration
    }
}
