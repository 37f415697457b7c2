import ArgumentParser
import Foundation

/// The ingress beside its limit and, with `--peers`, beside rivals that do the same work; rounds interleaved, medians.
struct IngressBench: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "ingress", abstract: "Measures the ingress.")

    @Option(help: "A folder of rival ingresses, load tools and a broker; without it Millrace and the limit alone.")
    var peers: String?
    @Option(help: "A library that Millrace is started with, and nobody else: an allocator, as the image has one.")
    var preload: String?
    @Flag(help: "One short round instead of five.")
    var quick = false
    @Option(help: "Requests of the run that looks for growing memory.")
    var soak: Int?
    @Option(help: "First of the ports to use.")
    var port = 18_480
    @Option(name: .customLong("part"), help: "Only this part (may be repeated).")
    var parts: [Part] = Part.allCases

    enum Part: String, CaseIterable, ExpressibleByArgument { case sides, embedded, spill, hostile, flatness }

    private var rounds: Int { quick ? 1 : 5 }
    private var seconds: Double { quick ? 3 : 8 }
    private static let rate = 3_300.0

    func run() throws {
        let rivals = try peers.map(Peers.init(copyOf:))
        let bench = try IngressUnderTest(port: port, peers: rivals, preload: preload)
        var goals = Goals()
        if let preload { print("Millrace runs with \(preload).") }
        print(Measured.header)
        for part in Part.allCases where parts.contains(part) {
            switch part {
            case .sides: try sideBySide(bench, &goals)
            case .embedded: try embedded(bench, &goals)
            case .spill: try spill(bench, &goals)
            case .hostile: try hostile(bench, &goals)
            case .flatness: try flatness(bench, &goals)
            }
        }
        throw ExitCode(goals.report())
    }

    /// On the broker: everybody in turn, each round afresh.
    private func sideBySide(_ bench: IngressUnderTest, _ goals: inout Goals) throws {
        var busy: [IngressUnderTest.Contender: [Measured]] = [:]
        var steady: [IngressUnderTest.Contender: [Measured]] = [:]
        for _ in 0..<rounds {
            for contender in bench.contenders {
                let server = try bench.start(contender)
                defer { server.stop() }
                _ = try bench.closedLoop(contender, server, connections: 32, seconds: 2)
                busy[contender, default: []].append(
                    try bench.closedLoop(contender, server, connections: 64, seconds: seconds))
                steady[contender, default: []].append(
                    try bench.openLoop(contender, server, rate: Self.rate, connections: 64, seconds: seconds))
            }
        }
        for contender in bench.contenders {
            print(Measured.median(busy[contender] ?? [])?.row("64 connections", contender.rawValue) ?? "")
        }
        for contender in bench.contenders {
            print(Measured.median(steady[contender] ?? [])?.row("3,300/s", contender.rawValue) ?? "")
        }
        let (ours, oursSteady) = (Measured.median(busy[.kafka] ?? []), Measured.median(steady[.kafka] ?? []))
        goals.atMost("memory_mib", oursSteady?.peakMemory, 64)
        guard bench.contenders.contains(.cpp) else { return }
        let (cpp, cppSteady) = (Measured.median(busy[.cpp] ?? []), Measured.median(steady[.cpp] ?? []))
        let aiohttp = Measured.median(busy[.aiohttp] ?? [])
        func ratio(_ a: Measured?, _ b: Measured?, _ value: (Measured) -> Double) -> Double? {
            guard let a, let b, value(b) > 0 else { return nil }
            return value(a) / value(b)
        }
        goals.atMost("cpu_64_to_cpp", ratio(ours, cpp, \.cpu), 1.5)
        goals.atMost("cpu_64_to_aiohttp", ratio(ours, aiohttp, \.cpu), 0.4)
        goals.atLeast("throughput_64_to_aiohttp", ratio(ours, aiohttp, \.requestsPerSecond), 2.5)
        goals.atMost("p50_3300_to_cpp", ratio(oursSteady, cppSteady, \.p50), 1.5)
        goals.atMost("p99_3300_to_cpp", ratio(oursSteady, cppSteady, \.p99), 1.5)
        goals.atMost("p999_3300_to_cpp", ratio(oursSteady, cppSteady, \.p999), 2)
        goals.atMost("cpu_3300_to_cpp", ratio(oursSteady, cppSteady, \.cpu), 1.4)
    }

    private func embedded(_ bench: IngressUnderTest, _ goals: inout Goals) throws {
        var busy: [Measured] = []
        var steady: [Measured] = []
        for _ in 0..<rounds {
            let server = try bench.start(.embedded)
            // What the full speed leaves to be written to the disk, for many seconds, is no part of the steady rate.
            steady.append(try bench.openLoop(.embedded, server, rate: Self.rate, connections: 64, seconds: seconds))
            busy.append(try bench.closedLoop(.embedded, server, connections: 64, seconds: seconds))
            server.stop()
            try bench.removeLogs()
        }
        let (fast, calm) = (Measured.median(busy), Measured.median(steady))
        print(fast?.row("64 connections", "millrace, embedded log") ?? "")
        print(calm?.row("3,300/s", "millrace, embedded log") ?? "")
        goals.atLeast("embedded_webhooks_per_second", fast?.requestsPerSecond, 15_000)
        goals.atMost("embedded_p99_3300_ms", calm?.p99, 10)
        goals.atMost("embedded_memory_mib", calm?.peakMemory, 64)
    }

    /// What a spill costs while the log is well: nothing is spilled, but each record is kept account of.
    private func spill(_ bench: IngressUnderTest, _ goals: inout Goals) throws {
        var busy: [IngressUnderTest.Contender: [Measured]] = [:]
        var steady: [IngressUnderTest.Contender: [Measured]] = [:]
        // By turns, also in a quick run: a ratio of two single runs says little.
        for _ in 0..<max(3, rounds) {
            for contender in [IngressUnderTest.Contender.kafka, .spilling] {
                let server = try bench.start(contender)
                defer { server.stop() }
                _ = try bench.closedLoop(contender, server, connections: 32, seconds: 1)
                busy[contender, default: []].append(
                    try bench.closedLoop(contender, server, connections: 64, seconds: seconds))
                steady[contender, default: []].append(
                    try bench.openLoop(contender, server, rate: Self.rate, connections: 64, seconds: seconds))
            }
        }
        for (load, runs) in [("64 connections", busy), ("3,300/s", steady)] {
            for contender in [IngressUnderTest.Contender.kafka, .spilling] {
                print(Measured.median(runs[contender] ?? [])?.row(load, contender.rawValue) ?? "")
            }
        }
        func ratio(_ runs: [IngressUnderTest.Contender: [Measured]]) -> Double? {
            guard let with = Measured.median(runs[.spilling] ?? []), let without = Measured.median(runs[.kafka] ?? []),
                without.cpu > 0
            else { return nil }
            return with.cpu / without.cpu
        }
        goals.atMost("spill_cpu_64", ratio(busy), 1.15)
        goals.atMost("spill_cpu_3300", ratio(steady), 1.15)
    }

    /// Good requests at a steady rate among hundreds of bad connections; then as many large bodies as want to be held.
    private func hostile(_ bench: IngressUnderTest, _ goals: inout Goals) throws {
        let server = try bench.start(.kafka)
        defer { server.stop() }
        // Longer than the header time-out of 10 s: those who were got rid of come again.
        let time = quick ? 6 : 20.0
        let mixed = try HostileLoad(port: port, senders: HostileLoad.Sender.mixed, each: 100)
        let calm = try bench.openLoop(.kafka, server, rate: 1_000, connections: 64, seconds: time)
        print(calm.row("1,000/s beside \(try mixed.stop()) bad connections", "millrace"))
        goals.atMost("hostile_p99_ms", calm.p99, 250)
        goals.atMost("hostile_good_refused", Double(calm.errors), 0)
        let filling = try HostileLoad(port: port, senders: HostileLoad.Sender.filling, each: 300)
        let full = try bench.openLoop(.kafka, server, rate: 1_000, connections: 64, seconds: time)
        print(full.row("1,000/s beside \(try filling.stop()) bodies of 1 MB without end", "millrace"))
        goals.atMost("hostile_full_p99_ms", full.p99, 250)
        // What the speed runs may take, and the in-flight limit.
        goals.atMost("hostile_memory_mib", full.peakMemory, 64 + 64)
    }

    /// The same cost per update whatever a body holds, per request at any number of connections, and for ever.
    private func flatness(_ bench: IngressUnderTest, _ goals: inout Goals) throws {
        let server = try bench.start(.kafka)
        defer { server.stop() }
        var perUpdate: [Int: Double] = [:]
        for updates in [1, 10, 1_000] {
            let bodies = Payloads.bodies(count: updates == 1_000 ? 16 : 256, updatesPerBody: updates)
            let connections = updates == 1_000 ? 4 : 64
            let measured = try bench.ownLoad(server, bodies, connections: connections, seconds: seconds)
            print(measured.row("\(updates) updates a body", "millrace"))
            perUpdate[updates] = measured.cpu / Double(updates)
        }
        goals.atMost("cpu_per_update_10_to_1", perUpdate[10]! / perUpdate[1]!, 1.1)
        goals.atMost("cpu_per_update_1000_to_1", perUpdate[1_000]! / perUpdate[1]!, 1.1)
        let bodies = Payloads.bodies()
        let few = try bench.ownLoad(server, bodies, connections: 10, seconds: seconds)
        print(few.row("10 connections", "millrace"))
        let many = try bench.ownLoad(server, bodies, connections: 1_000, seconds: seconds)
        print(many.row("1,000 connections", "millrace"))
        goals.atMost("cpu_1000_to_10_connections", many.cpu / few.cpu, 1.1)
        // The largest bodies have left their mark on this one.
        let fresh = try bench.start(.kafka, port: port + 1)
        defer { fresh.stop() }
        let rate = try bench.ownLoad(fresh, bodies, connections: 64, seconds: 2, port: port + 1).requestsPerSecond
        let before = fresh.memory("VmRSS")
        let requests = soak ?? (quick ? 100_000 : 10_000_000)
        let soaked = try bench.ownLoad(
            fresh, bodies, connections: 64, seconds: Double(requests) / rate, port: port + 1)
        print(soaked.row("\(requests) requests", "millrace"))
        goals.atMost("memory_growth_mib", fresh.memory("VmRSS") - before, 8)
    }
}
