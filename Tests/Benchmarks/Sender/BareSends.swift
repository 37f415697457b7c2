import ArgumentParser
import CurlLoop
import Foundation
import WhatsApp

/// The bare loop in a process of its own: prints what one send costs it, in microseconds of CPU.
struct BareSends: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "bare-sends", shouldDisplay: false)
    @Option var port: Int
    @Option var sends = 20_000
    @Option var concurrency = 64

    func run() throws {
        let command = try Commands.text(number: 0, user: 0)
        CurlLoop.run(
            url: "http://127.0.0.1:\(port)/messages",
            headers: ["D360-API-KEY: \(Scene.apiKey(0))", "Content-Type: application/json", "Accept: application/json", "Expect:"],
            body: command.call(for: .cloud).body, sends: sends, concurrency: concurrency)
        var usage = rusage()
        // RUSAGE_SELF, which Swift sees as another type.
        getrusage(0, &usage)
        func microseconds(_ time: timeval) -> Double { Double(time.tv_sec) * 1e6 + Double(time.tv_usec) }
        say("\((microseconds(usage.ru_utime) + microseconds(usage.ru_stime)) / Double(sends))")
    }
}
