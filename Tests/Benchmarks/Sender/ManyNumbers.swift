import WhatsApp

/// As much as one instance sends over 100 numbers that answer after 5 ms, and what a send costs it.
enum ManyNumbers {
    private static let numbers = 100
    private static let rate = 1_000.0

    static func measure(quick: Bool, _ goals: inout Goals) async throws {
        let server = try OtherSide(["answer-server", "--delay-ms", "5"])
        defer { server.stop() }
        var bare: [Double] = []
        var runs: [(perSecond: Double, cpu: Double, memory: Double)] = []
        // In turn, and the best of each: what else runs on the machine only ever adds.
        for _ in 0..<(quick ? 1 : 3) {
            bare.append(try bareCost(port: server.port))
            runs.append(try await sends(quick ? 20_000 : 60_000, port: server.port))
        }
        guard let bare = bare.min(), let cpu = runs.map(\.cpu).min(), let fastest = runs.map(\.perSecond).max() else { return }
        SenderRow(
            load: "100 numbers", accepted: quick ? 20_000 : 60_000, perSecond: fastest, cpu: cpu,
            memory: runs.map(\.memory).max()
        ).print()
        say("| bare libcurl loop | 1 | 20000 | – | – | \(String(format: "%.1f", bare)) | – |")
        goals.atLeast("sender_sends_per_second", fastest, 3_000)
        goals.atMost("sender_cpu_to_bare_curl", cpu / bare, 2)
    }

    private static func bareCost(port: Int) throws -> Double {
        let text = try run([program("millrace-bench"), "bare-sends", "--port", "\(port)"])
        guard let cost = Double(text.prefix { !$0.isNewline }) else { throw BenchError("bare-sends said: \(text)") }
        return cost
    }

    /// From a tenth of the sends to the last: starting is not measured.
    private static func sends(_ count: Int, port: Int) async throws -> (perSecond: Double, cpu: Double, memory: Double) {
        let scene = try await Scene(rates: Array(repeating: rate, count: numbers), port: port)
        try await scene.put((0..<count).map { try Commands.text(number: $0 % numbers, user: $0) })
        let sender = try scene.startSender()
        try await scene.waitUntilEnded(count / 10, within: .seconds(60))
        let (start, startCPU, startCount) = (ContinuousClock.now, sender.cpuMicroseconds, try await scene.ended())
        try await scene.waitUntilEnded(count, within: .seconds(120))
        let length = ContinuousClock.now - start
        let cpu = (sender.cpuMicroseconds - startCPU) / Double(count - startCount)
        let memory = sender.memory("VmHWM")
        scene.stopSenders()
        let accepted = try await scene.results().count { $0.outcome == .accepted }
        await scene.close()
        guard accepted == count else { throw BenchError("\(accepted) of \(count) were accepted") }
        return (Double(count - startCount) / length.seconds, cpu, memory)
    }
}
