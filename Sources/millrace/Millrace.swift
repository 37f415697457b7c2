import ArgumentParser
import EventLog
import Foundation
import Logging
import Service

/// The operator's tool.
@main
struct Millrace: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "millrace",
        abstract: "Webhooks of the WhatsApp Business API into an event log, and replies out of it.",
        discussion: "Settings come from the environment, see `MILLRACE_LOG` and the others in README.md.",
        subcommands: [
            Up.self, Send.self, Simulate.self, Status.self, Stats.self, TopicsCommand.self, Groups.self, SpillCommand.self,
            DLQCommand.self, ParkedCommand.self, OutboundControl.self, ReplayCommand.self, ProcessorCommand.self,
        ])
}

/// Opens the log for one command and closes it afterwards; errors become one readable line.
///
/// A command that only looks does not leave an empty log behind where there was none (`creating: false`).
func withLog(creating: Bool = false, _ body: (any Log, Settings) async throws -> Void) async throws {
    try await withSettings { settings in
        guard creating || settings.log.exists else {
            throw SettingError(
                "MILLRACE_LOG", "there is no log at \(settings.log); `millrace up` and `millrace topics create` make one")
        }
        var logger = Logger(label: "millrace")
        logger.logLevel = settings.logLevel == .info ? .warning : settings.logLevel
        let log = try await settings.log.open(
            kafkaProperties: settings.kafkaProperties, replicas: settings.replicas, logger: logger)
        do {
            try await body(log, settings)
        } catch {
            await log.close()
            throw error
        }
        await log.close()
    }
}

/// The same for a command that needs no log.
func withSettings(_ body: (Settings) async throws -> Void) async throws {
    do {
        try await body(Settings.load())
    } catch let error as LogError where error.code == .unknownTopic {
        StandardError.write(line: "millrace: the log has no topic \(error.detail) yet; `millrace topics create` makes it")
        throw ExitCode(1)
    } catch let error as any ReadableError {
        StandardError.write(line: "millrace: \(error)")
        throw ExitCode(error is SettingError ? 78 : 1)
    } catch let error as LogError {
        StandardError.write(line: "millrace: \(error)")
        throw ExitCode(1)
    }
}
