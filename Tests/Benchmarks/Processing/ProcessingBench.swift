import ArgumentParser
import Dispatch
import EventLog
import Foundation
import Processing

/// The runtime under processors that do nothing, that wait and that fail, on the embedded log and, with `--kafka`,
/// beside a bare poll loop on the same topic. Rounds interleaved, medians.
struct ProcessingBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "processing", abstract: "Measures what every processor runs on.")

    @Flag(help: "Fewer rounds and records.")
    var quick = false
    @Option(help: "A real Kafka, host:port,…; else MILLRACE_TEST_KAFKA, else none.")
    var kafka: String?
    @Option(help: "Records of the run that looks for growing memory.")
    var soak: Int?
    @Option(help: "Only these parts: speed, waiting, failing, memory, kafka.")
    var only: [String] = []

    @Option(name: .customLong("rounds"), help: "Rounds of each comparison.")
    var wantedRounds: Int?

    private var rounds: Int { wantedRounds ?? (quick ? 3 : 9) }

    func run() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "millrace-bench-\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        var goals = Goals()
        print("| processor | log | records | records/s | µs of CPU a record |\n|---|---|--:|--:|--:|")
        if wants("speed") { try await speed(folder, &goals) }
        if wants("waiting") { try await waiting(folder, &goals) }
        if wants("failing") { try await failing(folder, &goals) }
        if wants("memory") { try await memory(folder, &goals) }
        if wants("kafka"), let bootstrap = kafka ?? ProcessInfo.processInfo.environment["MILLRACE_TEST_KAFKA"] {
            try await besideBareLoop(bootstrap, &goals)
        }
        throw ExitCode(goals.report())
    }

    private func wants(_ part: String) -> Bool { only.isEmpty || only.contains(part) }

    /// - Parameter cpu: of this process, which is all but the brokers.
    private func row(_ processor: String, _ log: String, _ records: Int, _ rate: Double?, cpu: Double? = nil) {
        func text(_ value: Double?, _ format: String) -> String { value.map { String(format: format, $0) } ?? "–" }
        print("| \(processor) | \(log) | \(records) | \(text(rate, "%.0f")) | \(text(cpu, "%.2f")) |")
    }

    private func row(_ processor: String, _ log: String, _ runs: [ProcessorRun.Spent]) {
        row(processor, log, runs.first?.records ?? 0, median(runs.map(\.rate)), cpu: median(runs.map(\.cpuPerRecord)))
    }

    /// A log of its own with a backlog, for as long as `body` takes.
    private func withBacklog(
        in folder: URL, partitions: Int32, records: Int, _ body: (ProcessorRun) async throws -> Void
    ) async throws {
        let place = folder.appending(path: UUID().uuidString)
        try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: place) }
        let log = try await Backlog.sqlite(place.appending(path: "events.db").path)
        let backlog = Backlog(topic: "bench.v1", partitions: partitions)
        try await backlog.create(on: log)
        try await backlog.fill(records, on: log)
        do { try await body(ProcessorRun(log: log, backlog: backlog)) } catch {
            await log.close()
            throw error
        }
        await log.close()
    }

    private static let perKey = WorkMode.concurrent(limit: 100)

    private func doNothing(_ run: ProcessorRun, _ work: WorkMode) -> DoNothing {
        DoNothing(name: Self.fresh("nothing"), inputs: [run.backlog.topic], work: work)
    }

    /// Each run is a group of its own.
    private static func fresh(_ name: String) -> String { "bench-\(name)-\(UUID().uuidString.prefix(8))" }

    private func speed(_ folder: URL, _ goals: inout Goals) async throws {
        let count = quick ? 100_000 : 400_000
        var (ordered, perKey): ([ProcessorRun.Spent], [ProcessorRun.Spent]) = ([], [])
        try await withBacklog(in: folder, partitions: 12, records: count) { run in
            for _ in 0..<rounds {
                ordered.append(try await run.spend(on: doNothing(run, .ordered), over: count))
                perKey.append(try await run.spend(on: doNothing(run, Self.perKey), over: count))
            }
        }
        row("does nothing, batches", "embedded", ordered)
        row("does nothing, per key", "embedded", perKey)
        goals.atLeast("embedded_ordered_records_per_second", median(ordered.map(\.rate)), 50_000)
        goals.atLeast("embedded_per_key_records_per_second", median(perKey.map(\.rate)), 50_000)
    }

    /// One partition, 1,000 conversations: many at once beside one at a time.
    private func waiting(_ folder: URL, _ goals: inout Goals) async throws {
        let (few, many) = quick ? (100, 10_000) : (250, 40_000)
        var gains: [Double] = []
        var (alone, together): ([Double], [Double]) = ([], [])
        try await withBacklog(in: folder, partitions: 1, records: many) { run in
            for _ in 0..<(quick ? 1 : 3) {
                func rate(_ work: WorkMode, _ count: Int) async throws -> Double {
                    try await run.spend(
                        on: Waiting(name: Self.fresh("waiting"), inputs: [run.backlog.topic], work: work), over: count
                    ).rate
                }
                let (one, all) = (try await rate(.concurrent(limit: 1), few), try await rate(Self.perKey, many))
                alone.append(one)
                together.append(all)
                gains.append(all / one)
            }
        }
        row("waits 20 ms, one at a time", "embedded", few, median(alone))
        row("waits 20 ms, per key", "embedded", many, median(together))
        goals.atLeast("waiting_to_one_at_a_time", median(gains), 50)
    }

    /// What the healthy lose when 1 % of the conversations fail at every try.
    private func failing(_ folder: URL, _ goals: inout Goals) async throws {
        let (computing, answering) = quick ? (150_000, 15_000) : (300_000, 30_000)
        try await withBacklog(in: folder, partitions: 12, records: computing) { run in
            let cost = try await costOfFailures(run, computing, pairs: 5, "does nothing, batches") { doNothing(run, .ordered) }
            goals.atMost("failing_cost_percent_computing", cost, 5)
        }
        try await withBacklog(in: folder, partitions: 1, records: answering) { run in
            let cost = try await costOfFailures(run, answering, "waits 20 ms, per key") {
                Waiting(name: Self.fresh("waiting"), inputs: [run.backlog.topic], work: Self.perKey)
            }
            goals.atMost("failing_cost_percent_waiting", cost, 5)
        }
    }

    /// The healthy are as many in both runs of a round; so the times compare as their rates do.
    ///
    /// - Parameter pairs: of each round. Short runs differ by more than what is to be seen.
    private func costOfFailures<Base: Processor>(
        _ run: ProcessorRun, _ count: Int, pairs: Int = 1, _ name: String, _ make: () -> Base
    ) async throws -> Double? {
        let failing = run.backlog.onePerCent
        // As many to look up, none of which comes.
        let others = Set(failing.map { $0 + [0] })
        var (costs, healthy, partly): ([Double], [ProcessorRun.Spent], [ProcessorRun.Spent]) = ([], [], [])
        for round in 0..<rounds * pairs {
            var runs: [Bool: ProcessorRun.Spent] = [:]
            for fails in round.isMultiple(of: 2) ? [false, true] : [true, false] {
                let processor = PartlyFailing(base: make(), failing: fails ? failing : others)
                runs[fails] = try await run.spend(on: processor, over: count)
            }
            guard let good = runs[false], let bad = runs[true] else { continue }
            costs.append(100 * (1 - good.time / bad.time))
            healthy.append(good)
            partly.append(bad)
        }
        row("\(name)", "embedded", healthy)
        row("\(name), 1 % of conversations failing", "embedded", partly)
        return median(costs)
    }

    /// Five million records pass while another process writes them.
    private func memory(_ folder: URL, _ goals: inout Goals) async throws {
        let count = soak ?? (quick ? 500_000 : 5_000_000)
        let path = folder.appending(path: "soak.db").path
        let log = try await Backlog.sqlite(path)
        let backlog = Backlog(topic: "bench.v1", partitions: 12)
        try await backlog.create(on: log)
        let filler = try ServerProcess([
            ProcessMemory.program, "fill-log", "--path", path, "--topic", backlog.topic.name, "--partitions", "12",
            "--records", "\(count)",
        ])
        defer { filler.stop() }
        let memory = ProcessMemory(records: count)
        let run = ProcessorRun(log: log, backlog: backlog)
        let spent = try await run.spend(on: doNothing(run, .ordered), over: count) { memory.look($0) }
        await log.close()
        row("does nothing, while written by another process", "embedded", [spent])
        print("memory: \(memory.summary)")
        goals.atMost("memory_growth_mib", memory.growth, 16)
    }

    private func besideBareLoop(_ bootstrap: String, _ goals: inout Goals) async throws {
        let count = quick ? 200_000 : 1_000_000
        let log = try await Backlog.kafka(bootstrap)
        let backlog = Backlog(topic: Topic("bench-\(UUID().uuidString.prefix(8)).v1"), partitions: 12)
        try await backlog.create(on: log)
        try await backlog.fill(count, on: log)
        let run = ProcessorRun(log: log, backlog: backlog)
        var (shares, bare, copying): ([Double], [Double], [Double]) = ([], [], [])
        var (bareCPU, ordered): ([Double], [ProcessorRun.Spent]) = ([], [])
        func loop(copies: Bool) async throws -> Double {
            try await offPool {
                try BarePollLoop.rate(
                    bootstrap: bootstrap, topic: backlog.topic.name, partitions: backlog.partitions, count: count,
                    copies: copies)
            }
        }
        // The brokers compile what they serve while they serve it first.
        for _ in 0..<2 {
            _ = try await loop(copies: false)
            _ = try await run.spend(on: doNothing(run, .ordered), over: count)
        }
        for round in 0..<rounds {
            let before = CPUTime.microseconds
            let limit = try await loop(copies: false)
            bareCPU.append((CPUTime.microseconds - before) / Double(count))
            let ours = try await run.spend(on: doNothing(run, .ordered), over: count)
            if round < 3 { copying.append(try await loop(copies: true)) }
            bare.append(limit)
            ordered.append(ours)
            shares.append(ours.rate / limit)
        }
        await log.close()
        row("bare rd_kafka_consumer_poll loop", "Kafka", count, median(bare), cpu: median(bareCPU))
        row("the same, key, value and headers copied", "Kafka", count, median(copying))
        row("does nothing, batches", "Kafka", ordered)
        goals.atLeast("kafka_to_bare_poll_loop", median(shares), 0.8)
    }

    private func offPool<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue(label: "bench").async { continuation.resume(with: Result { try body() }) }
        }
    }
}

private func median(_ values: [Double]) -> Double? {
    let sorted = values.sorted()
    return sorted.isEmpty ? nil : (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
}
