import ArgumentParser
import EventLog
import Foundation
import Logging
import Service
import UnixSignals

/// `millrace up`: the whole pipeline on this machine, as separate processes on one log.
struct Up: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Start ingress, processors and simulator on one log, and show what flows.",
        discussion: """
            Each stage is a process of its own; one that dies is started again. Ctrl-C stops all of them cleanly.
            Without MILLRACE_CHANNELS a demo channel is set up for the simulator in the folder `data`. The simulator
            runs when a channel's base_url names its port.
            """)

    @Option(help: "Port of the ingress.") var port = 8080
    @Option(help: "Port of the commands endpoint.") var commandsPort = 8090
    @Option(help: "Port of the simulated 360dialog.") var simulatorPort = 8360
    @Option(help: "First of the ports with health and metrics, one a stage; 0 for none.") var adminPort = 9464
    @Option(help: "Messages per second that simulated customers write.") var rate = 1.0
    @Option(help: "Number of simulated customers.") var customers = 50
    @Flag(inversion: .prefixedNo, help: "Run the simulated 360dialog and its customers.") var simulator = true
    @Option(help: "Folder for the embedded log, state, the demo channel and the stages' logs.") var data = "./data"

    func validate() throws {
        let stages = Provisioning.builtInInputs(.init()).count + 2
        guard (0...65_535 - stages).contains(adminPort) else {
            throw ValidationError("--admin-port must leave room for \(stages) ports below 65536")
        }
    }

    func run() async throws {
        // The children are told by the environment, so what is set here reaches all of them.
        var environment = ProcessInfo.processInfo.environment
        do {
            try FileManager.default.createDirectory(atPath: data, withIntermediateDirectories: true)
        } catch {
            throw ValidationError("--data names a folder that cannot be made")
        }
        try Premises.claim(folder: data)
        if environment["MILLRACE_LOG"] == nil {
            // For this process and, by inheritance, for its children.
            setenv("MILLRACE_LOG", "sqlite:\(data)/events.db", 1)
        }
        if !Channels.areNamed(in: environment) {
            environment["MILLRACE_CHANNELS"] = try DemoChannel.write(in: data, simulatorPort: simulatorPort)
            if environment[Self.principals] == nil {
                environment[Self.principals] = try DemoChannel.writePrincipals(in: data)
            }
        }
        let channels = try Channels.load(environment: environment).all
        let simulated = simulator && channels.contains { $0.sends(toPort: simulatorPort) }
        let stages = stages(environment)
        try Premises.check(port: port, option: "--port")
        if environment[Self.principals] != nil { try Premises.check(port: commandsPort, option: "--commands-port") }
        if simulated { try Premises.check(port: simulatorPort, option: "--simulator-port") }
        for stage in stages where stage.adminPort != 0 {
            try Premises.check(port: stage.adminPort, option: "--admin-port")
        }
        try await withLog(creating: true) { log, settings in
            try await Provisioning.provision(log, topics: settings.topics)
            let terminal = Terminal()
            let supervisor = try Supervisor(logDirectory: "\(data)/logs") { terminal.print("  ! \($0)") }
            let flow = try await FlowView.atTheEnd(of: log, topics: settings.topics)
            terminal.print(banner(settings, stages))
            await run(children(environment, simulated: simulated), under: supervisor, showing: flow, on: terminal)
        }
    }

    /// Until a signal comes; then the stages are stopped in the order of the flow, so that each can finish.
    private func run(_ children: [Child], under supervisor: Supervisor, showing flow: FlowView, on terminal: Terminal) async {
        let stages = children.map { child in Task { await supervisor.keepRunning(child) } }
        let view = Task { await flow.run { terminal.print($0) } }
        for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) { break }
        terminal.print("  stopping")
        for stage in stages {
            stage.cancel()
            await stage.value
        }
        view.cancel()
        await view.value
        terminal.print("  stopped; the log stays in place")
    }

    private static let principals = "MILLRACE_COMMANDS_PRINCIPALS"

    private func children(_ environment: [String: String], simulated: Bool) -> [Child] {
        let here = URL(fileURLWithPath: CommandLine.executablePath).deletingLastPathComponent().path
        var inherited: [String: String] = [:]
        inherited["MILLRACE_CHANNELS"] = environment["MILLRACE_CHANNELS"]
        inherited["MILLRACE_STATE"] = environment["MILLRACE_STATE"] ?? "\(data)/state"
        // The demo channel's password is in the README: it must not be open to the network.
        inherited["MILLRACE_INGRESS_HOST"] = environment["MILLRACE_INGRESS_HOST"] ?? "127.0.0.1"
        var children: [Child] = []
        if simulated {
            children.append(
                Child(
                    name: "simulator", executable: CommandLine.executablePath,
                    arguments: [
                        "simulate", "--port", "\(simulatorPort)", "--ingress", "http://127.0.0.1:\(port)",
                        "--rate", "\(rate)", "--customers", "\(customers)",
                    ], environment: inherited.merging(["MILLRACE_ADMIN_PORT": "0"]) { $1 }))
        }
        inherited["MILLRACE_INGRESS_PORT"] = "\(port)"
        inherited["MILLRACE_COMMANDS_PORT"] = "\(commandsPort)"
        inherited[Self.principals] = environment[Self.principals]
        for (stage, adminPort) in stages(environment) {
            let variables = inherited.merging(["MILLRACE_ADMIN_PORT": "\(adminPort)"]) { $1 }
            children.append(Child(name: stage, executable: "\(here)/\(stage)", environment: variables))
        }
        return children
    }

    /// The stages that have an admin port, each with its own: they share one machine.
    private func stages(_ environment: [String: String]) -> [(name: String, adminPort: Int)] {
        var names = ["millrace-ingress"] + Provisioning.builtInInputs(.init()).map(\.processor)
        // Without anybody who may send there is nothing to listen for.
        if environment[Self.principals] != nil { names.append("millrace-commands") }
        return names.enumerated().map { (name: $1, adminPort: adminPort == 0 ? 0 : adminPort + $0) }
    }

    private func watching(_ stages: [(name: String, adminPort: Int)]) -> String {
        if adminPort == 0 { return "" }
        let ports = stages.map { "\($0.adminPort) \($0.name)" }.joined(separator: ", ")
        return "\n  Health and metrics, /readyz and /metrics on 127.0.0.1: \(ports).\n"
    }

    private func banner(_ settings: Settings, _ stages: [(name: String, adminPort: Int)]) -> String {
        let send = """
          Send a message to a customer:

            curl -H 'Authorization: Bearer \(DemoChannel.commandToken)' http://127.0.0.1:\(commandsPort)/v1/commands -d '\(DemoChannel.sampleCommand)'


        """
        return """

          Millrace is up.  Log: \(settings.log).  Ctrl-C stops it.
          Write as a customer, from another terminal:

            curl -u demo:demo-only http://127.0.0.1:\(port)/webhooks/demo -d '\(DemoChannel.sampleWebhook)'

        \(stages.contains { $0.name == "millrace-commands" } ? send : "")\(watching(stages))
          Each line below is one customer's message: who wrote, what was answered, and how long each step took.

        """
    }
}

extension CommandLine {
    /// The running program's own file: its siblings are the stages.
    static var executablePath: String {
        (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? arguments[0]
    }
}
