import D360
import Foundation
import Simulator

/// `Platform` or `AnswerServer` while it runs.
final class OtherSide {
    let port: Int
    private let process: ServerProcess

    init(_ arguments: [String]) throws {
        process = try ServerProcess([program("millrace-bench")] + arguments, capturesOutput: true)
        guard let port = Int(try process.firstLine()) else { throw BenchError("\(arguments) did not start") }
        self.port = port
    }

    static func platform(delayMs: Int, rates: [Double]) throws -> OtherSide {
        try OtherSide(["platform", "--delay-ms", "\(delayMs)", "--rates"] + rates.map { "\($0)" })
    }

    func stop() { process.stop() }

    /// What the simulated platform has counted.
    func report() async throws -> SimulatorReport {
        let transport = HTTPTransport()
        let answer = try await transport.perform(
            HTTPRequest(method: "GET", url: "http://127.0.0.1:\(port)/simulator/report"))
        await transport.shutdown()
        return try JSONDecoder().decode(SimulatorReport.self, from: Data(answer.body))
    }
}
