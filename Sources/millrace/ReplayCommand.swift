import ArgumentParser
import Foundation
import Glibc

/// `millrace replay <processor>`: the processor's own program does it, with its own handler.
struct ReplayCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Handle a part of a processor's inputs once more, beside the live group.",
        discussion: """
            Runs `<processor> replay …`; `millrace replay <processor> --help` lists the options: --from, --to, --group and
            --effects. The program is looked for beside millrace, then on the PATH; a path with a slash is taken as it is.
            """,
        helpNames: [])

    @Argument(parsing: .captureForPassthrough, help: "Name of the processor, then the options.") var arguments: [String]

    func run() throws {
        guard let processor = arguments.first, !processor.hasPrefix("-") else {
            throw ValidationError("name a processor: millrace replay <processor> --from <time|offset|beginning>")
        }
        // The bar and the result are for people; what the program logs for machines would stand between.
        setenv("MILLRACE_LOG_LEVEL", "warning", 0)
        try replaceProcess([try Self.program(processor), "replay"] + arguments.dropFirst())
    }

    private static func program(_ name: String) throws -> String {
        if name.contains("/") { return name }
        let here = URL(fileURLWithPath: CommandLine.executablePath).deletingLastPathComponent().path
        let path = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
        let found = ([here] + path).map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let found else { throw ValidationError("no program \(name) beside millrace or on the PATH") }
        return found
    }

    /// The program takes the place of this process, with its terminal, signals and exit code.
    private func replaceProcess(_ command: [String]) throws -> Never {
        var arguments: [UnsafeMutablePointer<CChar>?] = command.map { strdup($0) }
        arguments.append(nil)
        execv(command[0], &arguments)
        throw ValidationError("\(command[0]) cannot be run: \(String(cString: strerror(errno)))")
    }
}
