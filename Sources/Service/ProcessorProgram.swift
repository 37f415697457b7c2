import ArgumentParser
import EventLog
import Foundation
import Processing
import ServiceLifecycle

/// The command line that every processor has without writing a line for it.
struct ProcessorProgram: ParsableCommand {
    static var configuration: CommandConfiguration {
        CommandConfiguration(
            commandName: ProcessInfo.processInfo.processName,
            abstract: "A processor of Millrace. Settings come from the environment, see MILLRACE_LOG and the others.",
            subcommands: [Run.self, ReplayCommand.self], defaultSubcommand: Run.self)
    }

    /// Runs until told to stop.
    struct Run: ParsableCommand, ProcessorCommand {
        static let configuration = CommandConfiguration(abstract: "Handle records until told to stop (the default).")

        @Option(
            help: ArgumentHelp(
                "Where to begin where the group has no progress: beginning, end, an offset, a time (RFC 3339) or an age (6h).",
                discussion: """
                    Also creates the processor's own topics where they are missing. Progress that exists is left alone, \
                    so the option may stay on the command line.
                    """))
        var from: LogPoint?

        var withholdsEffects: Bool { false }
        var createsLog: Bool { true }

        func services(for processor: any Processor, _ host: Host) async throws -> [any Service] {
            if let from { try await Provisioning.bear(processor, from: from, host.log, host.settings.topics) }
            return host.alongside + MillraceService.runtime(processor, on: host)
        }
    }

    /// What the command line asks for. Prints help or one line about a mistake and ends the process instead.
    static func parsed() -> any ProcessorCommand {
        do {
            var command = try parseAsRoot()
            if let command = command as? any ProcessorCommand { return command }
            // Asked for help, of this program or of one of its commands.
            try command.run()
            exit()
        } catch {
            exit(withError: error)
        }
    }
}

/// One way to run a processor.
protocol ProcessorCommand: Sendable {
    /// What the processor does to the outside must not happen.
    var withholdsEffects: Bool { get }
    /// Whether an embedded log that is not there yet is made.
    var createsLog: Bool { get }

    func services(for processor: any Processor, _ host: Host) async throws -> [any Service]
}
