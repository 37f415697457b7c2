import ArgumentParser
import CurlLoop
import D360
import EventLog
import Foundation
import WhatsApp

/// The bare loop in a process of its own: prints what one send costs it, in microseconds of CPU.
struct BareSends: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "bare-sends", shouldDisplay: false)
    @Option var port: Int
    @Option var sends = 20_000
    @Option var concurrency = 64
    @Option var waiting = "poll"

    func run() throws {
        guard let waiting = CurlLoop.Waiting(rawValue: waiting) else { throw ValidationError("waiting") }
        let command = try Commands.text(number: 0, user: 0)
        CurlLoop.run(
            url: "http://127.0.0.1:\(port)/messages",
            headers: ["D360-API-KEY: \(Scene.apiKey(0))", "Content-Type: application/json", "Accept: application/json", "Expect:"],
            body: command.call(for: .cloud).body, sends: sends, concurrency: concurrency, waiting: waiting)
        say("\(CPUTime.microseconds / Double(sends))")
    }
}

/// The same sends through `D360Client`: what of the sender's cost is the transport's.
struct ClientSends: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "client-sends", shouldDisplay: false)
    @Option var port: Int
    @Option var sends = 20_000
    @Option var concurrency = 64

    func run() async throws {
        let client = D360Client(transport: HTTPTransport())
        let command = try Commands.text(number: 0, user: 0)
        let endpoint = ChannelEndpoint(
            baseURL: "http://127.0.0.1:\(port)", hosting: .cloud, apiKey: APIKey(Scene.apiKey(0)))
        let (sends, concurrency) = (sends, concurrency)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for worker in 0..<concurrency {
                group.addTask {
                    for _ in stride(from: worker, to: sends, by: concurrency) {
                        guard case .accepted = await client.send(command, to: endpoint) else {
                            throw BenchError("a send failed")
                        }
                    }
                }
            }
            try await group.waitForAll()
        }
        say("\(CPUTime.microseconds / Double(sends))")
    }
}

enum CPUTime {
    /// Of this process so far, all threads.
    static var microseconds: Double {
        var usage = rusage()
        // RUSAGE_SELF, which Swift sees as another type.
        getrusage(0, &usage)
        func microseconds(_ time: timeval) -> Double { Double(time.tv_sec) * 1e6 + Double(time.tv_usec) }
        return microseconds(usage.ru_utime) + microseconds(usage.ru_stime)
    }
}
