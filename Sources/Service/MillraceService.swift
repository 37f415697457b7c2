import EventLog
import Foundation
import Logging
import Processing
import ServiceLifecycle
import WhatsApp

/// What a program has at hand when it starts.
public struct Host: Sendable {
    public let settings: Settings
    public let environment: [String: String]
    public let logger: Logger
    public let log: any Log
    /// True in a replay: what the processor does to the outside, beside its records, must not happen.
    public internal(set) var withholdsEffects = false

    /// The channels of `MILLRACE_CHANNELS`; throws when the setting is missing or the file is wrong.
    public func channels() throws -> Channels { try Channels.load(environment: environment) }
}

/// The way every Millrace program starts and ends: settings, logging, the log, services, signals, exit code.
///
/// SIGTERM and SIGINT stop gracefully; a second one, or 25 s, ends the process at once. Exit code 0 after a graceful
/// stop, 78 for a bad setting, 1 for everything else.
public enum MillraceService {
    /// Runs one processor as its command line says, by default until it is told to stop. The whole `main.swift` of a
    /// processor is this call.
    public static func main(processor make: @escaping @Sendable (Host) async throws -> any Processor) async -> Never {
        let command = ProcessorProgram.parsed()
        await main(named: ProcessInfo.processInfo.processName) { host in
            var host = host
            host.withholdsEffects = command.withholdsEffects
            let processor = try await make(host)
            return [try await command.service(for: processor, host)]
        }
    }

    /// Runs services on the log, in the order given, until one ends or the process is told to stop.
    public static func main(
        named name: String, services make: @escaping @Sendable (Host) async throws -> [any Service]
    ) async -> Never {
        await guarded(name) { settings, environment, logger in
            let log = try await settings.log.open(
                kafkaProperties: settings.kafkaProperties, replicas: settings.replicas, logger: logger)
            do {
                let host = Host(settings: settings, environment: environment, logger: logger, log: log)
                try await run(make(host), environment, logger)
            } catch {
                await log.close()
                throw error
            }
            await log.close()
        }
    }

    /// The same for a program that needs no log.
    public static func main(
        withoutLogNamed name: String, services make: @escaping @Sendable (Logger) async throws -> [any Service]
    ) async -> Never {
        await guarded(name) { _, environment, logger in try await run(make(logger), environment, logger) }
    }

    /// Settings and logging before, one readable line and the exit code after.
    private static func guarded(
        _ name: String, _ body: @Sendable (Settings, [String: String], Logger) async throws -> Void
    ) async -> Never {
        let environment = ProcessInfo.processInfo.environment
        do {
            let settings = try await Settings.load(environment: environment)
            LoggingSystem.bootstrap { label in JSONLogHandler(label: label, logLevel: settings.logLevel) }
            let logger = Logger(label: name)
            try await body(settings, environment, logger)
            logger.info("stopped")
            exit(0)
        } catch let error as SettingError {
            StandardError.write(line: "\(name): \(error)")
            exit(78)
        } catch let error as LogError {
            StandardError.write(line: "\(name): \(error)")
            exit(1)
        } catch let error as any ReadableError {
            StandardError.write(line: "\(name): \(error)")
            exit(1)
        } catch {
            // The type alone: an arbitrary error's text may quote a payload.
            StandardError.write(line: "\(name): stopped by \(type(of: error))")
            exit(1)
        }
    }

    private static func run(
        _ services: [any Service], _ environment: [String: String], _ logger: Logger
    ) async throws {
        var configurations = services.map {
            ServiceGroupConfiguration.ServiceConfiguration(
                service: $0, successTerminationBehavior: .gracefullyShutdownGroup)
        }
        if environment["MILLRACE_PARENT"] == "stdin" {
            configurations.append(.init(service: ParentWatch(), successTerminationBehavior: .gracefullyShutdownGroup))
        }
        var group = ServiceGroupConfiguration(
            services: configurations, gracefulShutdownSignals: [.sigterm, .sigint], logger: logger)
        group.maximumGracefulShutdownDuration = .seconds(25)
        logger.info("started")
        try await ServiceGroup(configuration: group).run()
    }
}

extension Host {
    var runtimeConfiguration: ProcessorRuntimeConfiguration {
        var configuration = ProcessorRuntimeConfiguration()
        configuration.stateDirectory = settings.stateDirectory
        configuration.controlTopic = Topics.control
        configuration.start =
            switch settings.start {
            case .committed: .requireCommit
            case .earliest: .earliest
            case .latest: .latest
            }
        return configuration
    }
}
