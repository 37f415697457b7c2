import EventLog
import WhatsApp

/// How near each number's rate is held to its limit when several have a backlog.
enum SlowNumbers {
    private static let rates = [20.0, 80, 250]
    private static let warmUp = 5

    static func measure(quick: Bool, _ goals: inout Goals) async throws {
        let seconds = quick ? 15 : 60
        let platform = try OtherSide.platform(delayMs: 100, rates: rates)
        defer { platform.stop() }
        let scene = try await Scene(rates: rates, port: platform.port)
        for (number, rate) in rates.enumerated() {
            let count = Int(rate * 1.1) * (warmUp + seconds + 2)
            try await scene.put((0..<count).map { try Commands.text(number: number, user: $0) })
        }
        try scene.startSender()
        let start = Timestamp.now
        try await Task.sleep(for: .seconds(warmUp + seconds + 1))
        let report = try await platform.report()
        scene.stopSenders()
        let results = try await scene.results()
        await scene.close()
        for (number, rate) in rates.enumerated() {
            let held = results.filter { $0.channel?.phoneNumberID == Scene.number(number) }
                .accepted(from: start + .seconds(warmUp), for: seconds)
            SenderRow(load: "\(Int(rate))/s on one of three", accepted: held, perSecond: Double(held) / Double(seconds)).print()
            goals.atMost(
                "sender_accuracy_\(Int(rate))_percent_off", abs(Double(held) / Double(seconds) / rate - 1) * 100, 1)
        }
        goals.atMost("sender_accuracy_limit_errors", Double(report.limitErrors), 0)
    }
}
