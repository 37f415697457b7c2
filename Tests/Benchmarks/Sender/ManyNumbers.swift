import WhatsApp

/// As much as one instance sends over 100 numbers that answer after 5 ms, and what a send costs it.
enum ManyNumbers {
    private static let numbers = 100
    private static let rate = 1_000.0

    static func measure(quick: Bool, preload: String?, _ goals: inout Goals) async throws {
        let server = try OtherSide(["answer-server", "--delay-ms", "5"])
        defer { server.stop() }
        var bare: [Double] = []
        var events: [Double] = []
        var client: [Double] = []
        var runs: [(perSecond: Double, cpu: Double, memory: Double)] = []
        // In turn, and the best of each: what else runs on the machine only ever adds.
        for _ in 0..<(quick ? 1 : 3) {
            bare.append(try cost("bare-sends", port: server.port))
            events.append(try cost("bare-sends", "--waiting", "events", port: server.port))
            client.append(try cost("client-sends", port: server.port))
            runs.append(try await sends(quick ? 20_000 : 60_000, port: server.port, preload))
        }
        guard let bare = bare.min(), let events = events.min(), let client = client.min(), let cpu = runs.map(\.cpu).min(),
            let fastest = runs.map(\.perSecond).max()
        else { return }
        SenderRow(
            load: "100 numbers", accepted: quick ? 20_000 : 60_000, perSecond: fastest, cpu: cpu,
            memory: runs.map(\.memory).max()
        ).print()
        say("CPU of a send: bare libcurl loop \(text(bare)) us (with epoll \(text(events)) us), D360Client alone \(text(client)) us, outbound-sender \(text(cpu)) us")
        goals.atLeast("sender_sends_per_second", fastest, 3_000)
        goals.atMost("sender_client_cpu_to_bare_curl", client / bare, 2)
        goals.atMost("sender_cpu_to_bare_curl", cpu / bare, 2)
    }

    private static func text(_ value: Double) -> String { String(format: "%.1f", value) }

    private static func cost(_ command: String..., port: Int) throws -> Double {
        let text = try run([program("millrace-bench")] + command + ["--port", "\(port)"])
        guard let cost = Double(text.prefix { !$0.isNewline }) else { throw BenchError("\(command) said: \(text)") }
        return cost
    }

    /// From a tenth of the sends to the last: starting is not measured.
    private static func sends(
        _ count: Int, port: Int, _ preload: String?
    ) async throws -> (perSecond: Double, cpu: Double, memory: Double) {
        let scene = try await Scene(rates: Array(repeating: rate, count: numbers), port: port)
        try await scene.put((0..<count).map { try Commands.text(number: $0 % numbers, user: $0) })
        let sender = try scene.startSender(preload: preload)
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
