import ArgumentParser
import EventLog
import Foundation
import Logging
import Processing
import ServiceLifecycle

/// `<processor> replay`, which is what `millrace replay <processor>` runs.
struct ReplayCommand: ParsableCommand, ProcessorCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Handle a part of the inputs once more, beside the live group.",
        discussion: """
            The live group is not touched. Outputs and dead letters are counted, not written, unless --effects is given. \
            State begins empty, in a folder of its own that is removed at the end. With --group, progress and state are \
            kept under that name and a later replay of the same name goes on there.
            """)

    @Option(help: "Where to begin: beginning, an offset, a time (RFC 3339) or an age (6h).") var from: LogPoint
    @Option(help: "Where to end, before that record; end is where the log ends now.") var to: LogPoint = .end
    @Option(help: "Name under which progress and state are kept.") var group: String?
    @Flag(help: "Write outputs and dead letters, and act on the outside.") var effects = false

    var withholdsEffects: Bool { !effects }
    var createsLog: Bool { false }

    func validate() throws {
        guard let group else { return }
        guard Topic(group).isValid, !group.hasPrefix("millrace."), !group.hasPrefix("redrive.") else {
            throw ValidationError("--group takes a name of its own, of letters, digits, '.', '_' and '-', not beginning with millrace. or redrive.")
        }
    }

    func services(for processor: any Processor, _ host: Host) async throws -> [any Service] {
        [ReplayService(command: self, processor: processor, host: host)]
    }

    fileprivate func ranges(
        of partitions: [TopicPartition], _ log: any Log
    ) async throws(LogError) -> [TopicPartition: Range<Offset>] {
        let first = try await from.offsets(in: partitions, of: log)
        let end = try await to.offsets(in: partitions, of: log)
        var ranges: [TopicPartition: Range<Offset>] = [:]
        for partition in partitions {
            let begin = first[partition] ?? 0
            ranges[partition] = begin..<max(begin, end[partition] ?? begin)
        }
        return ranges
    }
}

/// Runs the replay, shows how far it is, and tidies up.
private struct ReplayService: Service {
    let command: ReplayCommand
    let processor: any Processor
    let host: Host

    func run() async throws {
        var configuration = host.runtimeConfiguration
        let scratch = "replay-\(command.group ?? "\(ProcessInfo.processInfo.processIdentifier)")"
        configuration.stateDirectory += "/\(scratch)"
        // Orders are for the live group.
        configuration.controlTopic = nil
        if let group = command.group { try await refuseIfLive(group) }
        let display = ReplayDisplay(name: processor.name)
        let plan = Replay.Plan(
            ranges: { [command, host] partitions throws(LogError) in try await command.ranges(of: partitions, host.log) },
            group: command.group, effects: command.effects)
        defer {
            if command.group == nil { try? FileManager.default.removeItem(atPath: configuration.stateDirectory) }
        }
        try await Replay(
            of: processor, on: host.log, plan, configuration: configuration, logger: host.logger,
            tell: { display.show($0) }
        ).run()
        print(display.summary(effects: command.effects))
    }

    private func refuseIfLive(_ group: String) async throws {
        guard let found = try await host.log.admin.groups().first(where: { $0.group == group }), !found.members.isEmpty
        else { return }
        throw SettingError("--group", "has live members; choose a name of its own")
    }
}
