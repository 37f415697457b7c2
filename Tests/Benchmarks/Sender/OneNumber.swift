import EventLog
import WhatsApp

/// A backlog for one number of 1,000 a second, whose platform refuses more and answers after 100 ms.
enum OneNumber {
    private static let rate = 1_000.0
    /// Starting, sharing the partitions and filling the line are not measured.
    private static let warmUp = 8

    static func measure(instances: Int, quick: Bool, _ goals: inout Goals) async throws {
        let seconds = quick ? 10 : 40
        let platform = try OtherSide.platform(delayMs: 100, rates: [rate])
        defer { platform.stop() }
        let scene = try await Scene(rates: [rate], port: platform.port)
        // A tenth more than can go out.
        let count = Int(rate * 1.1) * (warmUp + seconds + 2)
        try await scene.put((0..<count).map { try Commands.text(number: 0, user: $0) })
        let senders = try (0..<instances).map { _ in try scene.startSender() }
        let start = Timestamp.now
        try await Task.sleep(for: .seconds(warmUp + seconds + 1))
        let memory = senders.map { $0.memory("VmHWM") }.max()
        let report = try await platform.report()
        scene.stopSenders()
        let held = try await scene.results().accepted(from: start + .seconds(warmUp), for: seconds)
        await scene.close()
        let name = instances == 1 ? "steady" : "three"
        SenderRow(
            load: "1,000/s on one number", instances: instances, accepted: held, perSecond: Double(held) / Double(seconds),
            refused: report.limitErrors, memory: memory
        ).print()
        let share = Double(held) / Double(seconds) / rate * 100
        goals.atLeast("sender_\(name)_rate_percent", share, instances == 1 ? 99 : 90)
        goals.atMost("sender_\(name)_rate_percent_not_over", share, instances == 1 ? 101 : 100)
        goals.atMost("sender_\(name)_limit_errors", Double(report.limitErrors), 0)
    }
}
