import EventLog
import WhatsApp

/// Replies of one number while another one's campaign of 100,000 waits. Both numbers may send 80 a second.
enum Fairness {
    private static let repliesPerSecond = 20

    static func measure(quick: Bool, _ goals: inout Goals) async throws {
        let seconds = quick ? 10 : 30
        let platform = try OtherSide.platform(delayMs: 20, rates: [80, 80])
        defer { platform.stop() }
        let scene = try await Scene(rates: [80, 80], port: platform.port)
        try scene.startSender()
        // The first replies find an instance that is still starting.
        _ = try await reply(scene, first: 0, seconds: 5)
        let alone = try await reply(scene, first: 1_000, seconds: seconds)
        try await scene.put(
            (0..<100_000).map { try Commands.text(number: 1, user: $0, purpose: .marketing) }, isBulk: true)
        try await Task.sleep(for: .seconds(3))
        let beside = try await reply(scene, first: 10_000, seconds: seconds)
        let report = try await platform.report()
        scene.stopSenders()
        await scene.close()
        row("replies alone", alone, seconds, nil)
        row("replies beside a campaign of 100,000", beside, seconds, report.limitErrors)
        goals.atMost("sender_fairness_limit_errors", Double(report.limitErrors), 0)
        goals.atMost("sender_fairness_unanswered", Double(beside.count { $0 == nil }), 0)
        let worst = percentile(beside, 0.99), usual = percentile(alone, 0.99)
        say("replies: p99 \(usual.map(milliseconds) ?? "–") ms alone, \(worst.map(milliseconds) ?? "–") ms beside the campaign")
        goals.atMost("sender_fairness_p99_added_ms", worst.flatMap { worst in usual.map { worst - $0 } }, 100)
    }

    /// Asks for replies at an even pace, and gives for each how many milliseconds passed until it was sent; nil for one that
    /// was not sent within 20 s after the last was asked for.
    private static func reply(_ scene: Scene, first: Int, seconds: Int) async throws -> [Double?] {
        var asked: [String: Timestamp] = [:]
        let clock = ContinuousClock()
        let start = clock.now
        for index in 0..<(seconds * repliesPerSecond) {
            try await clock.sleep(until: start + .seconds(1) / repliesPerSecond * index)
            let command = try Commands.text(number: 0, user: first + index, purpose: .reply)
            asked[command.id] = command.requestedAt
            try await scene.put([command])
        }
        let deadline = clock.now + .seconds(20)
        while true {
            let results = try await scene.results().filter { asked[$0.commandID] != nil && $0.outcome == .accepted }
            if results.count >= asked.count || clock.now > deadline {
                let sent = results.compactMap { result in
                    asked[result.commandID].map { Double((result.finishedAt - $0) / .milliseconds(1)) }
                }
                return sent + Array(repeating: nil, count: max(0, asked.count - sent.count))
            }
            try await Task.sleep(for: .seconds(1))
        }
    }

    private static func row(_ load: String, _ delays: [Double?], _ seconds: Int, _ refused: Int?) {
        let sent = delays.compactMap { $0 }.count
        SenderRow(load: load, accepted: sent, perSecond: Double(sent) / Double(seconds), refused: refused).print()
    }

    /// One that was never sent took longer than any other.
    private static func percentile(_ delays: [Double?], _ share: Double) -> Double? {
        let sorted = delays.map { $0 ?? .infinity }.sorted()
        guard !sorted.isEmpty else { return nil }
        let value = sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))]
        return value.isFinite ? value : nil
    }

    private static func milliseconds(_ value: Double) -> String { "\(Int(value))" }
}
