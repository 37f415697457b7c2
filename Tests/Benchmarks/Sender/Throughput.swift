import D360
import EventLog
import SendLimits
import WhatsApp

/// Limiter and transport together, over many numbers: the path of every send but for the log.
enum Throughput {
    static let numbers = 100
    static let sends = 30_000

    static func measure(_ goals: inout Goals) async throws {
        let server = try OtherSide("serve")
        defer { server.stop() }
        let limiter = SendLimiter(clock: ContinuousClock())
        limiter.setShare(owned: 12, of: 12)
        limiter.setNumbers((0..<numbers).map { SendingNumber(id: Load.number($0), rate: 80) })
        let commands = try (0..<numbers).map { try Load.command(number: $0, index: $0) }
        let endpoint = Load.endpoint(port: server.port)
        let transport = HTTPTransport()
        let client = D360Client(transport: transport)
        let start = ContinuousClock.now
        let cpu = cpuTime()
        try await Load.run(sends, 256) { index in
            let number = index % numbers
            let permit = try await limiter.admit(
                SendAdmission(number: Load.number(number), pair: "\(number):\(index)", kind: .reply))
            let outcome = await client.send(commands[number], to: endpoint)
            permit.report(.accepted)
            return outcome
        }
        let seconds = (ContinuousClock.now - start).seconds
        let perSend = (cpuTime() - cpu).seconds * 1e6 / Double(sends)
        await transport.shutdown()
        say("\(sends) sends over \(numbers) numbers in \(Goals.text(seconds)) s, \(Goals.text(perSend)) µs of CPU each")
        goals.atLeast("sender.sends", Double(sends) / seconds, 3_000)
    }
}
