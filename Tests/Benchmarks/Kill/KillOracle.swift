import ArgumentParser
import EventLog
import EventLogTesting
import Foundation
import ProcessorTesting
import Synchronization

/// Three workers under load are killed with SIGKILL, and now and then halted for longer than their lease, again and again; then
/// the oracle of the simulation judges what became of every record.
///
/// The seed draws who is hit, when and how. What the machine makes of it differs from run to run.
struct KillOracle: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "kill", abstract: "Kills workers again and again and judges what became of every record.")

    @Option(help: "How many times a worker is killed.")
    var kills = 100
    @Option(help: "Draws who is hit, when and how.")
    var seed = UInt64.random(in: 0..<1_000_000)
    @Option(help: "A real Kafka, host:port,…, instead of the embedded log.")
    var kafka: String?
    @Option(help: "Records per second.")
    var rate = 300

    private static let workers = 3
    private static let conversations = 200

    func run() async throws {
        print("seed \(seed): \(kills) kills of \(Self.workers) workers on \(kafka == nil ? "the embedded log" : "Kafka")")
        let folder = FileManager.default.temporaryDirectory.appending(path: "millrace-kill-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let scene = KillScene(
            location: kafka.map { "kafka://\($0)" } ?? "sqlite:\(folder.path)/events.db",
            prefix: "kill-\(UUID().uuidString.prefix(8).lowercased())")
        let log = try await scene.open()
        try await scene.create(on: log)
        let book = try EffectBook("\(folder.path)/effects")
        var oracle = DeliveryOracle()
        let disturbed = try await disturb(scene, log, folder, &oracle)
        try await judge(scene, log, book, disturbed, &oracle)
        await log.close()
        for complaint in oracle.complaints.prefix(20) { print("breach: \(complaint)") }
        let verdict = oracle.complaints.isEmpty ? "held" : "breached (\(oracle.complaints.count)), see \(folder.path)"
        print("verdict: \(verdict) · seed \(seed) · \(disturbed.summary) · \(oracle.copies) copies")
        if !oracle.complaints.isEmpty { throw ExitCode(1) }
        try FileManager.default.removeItem(at: folder)
    }

    private struct Disturbed {
        var kills = 0
        var halts = 0
        var records = 0
        var settledAfter = Duration.zero
        var summary: String { "\(records) records, \(kills) kills, \(halts) halts, settled after \(settledAfter)" }
    }

    /// Feeds and kills until the kills are done, then waits for the end of the work.
    private func disturb(
        _ scene: KillScene, _ log: any Log, _ folder: URL, _ oracle: inout DeliveryOracle
    ) async throws -> Disturbed {
        var random = SeededGenerator(seed: seed)
        var workers = try (0..<Self.workers).map { _ in try start(scene, folder) }
        let feeder = Task { try await feed(scene, log) }
        var disturbed = Disturbed()
        while disturbed.kills < kills {
            try await Task.sleep(for: .milliseconds(Int64.random(in: 200...2_500, using: &random)))
            let index = Int.random(in: 0..<workers.count, using: &random)
            if Int.random(in: 0..<6, using: &random) == 0 {
                // A zombie: it wakes with handlers and commits of a lease that is over.
                workers[index].signal(SIGSTOP)
                try await Task.sleep(for: .milliseconds(Int64.random(in: 1_000...6_000, using: &random)))
                workers[index].signal(SIGCONT)
                disturbed.halts += 1
                continue
            }
            workers[index].signal(SIGKILL)
            workers[index].waitUntilEnded()
            disturbed.kills += 1
            try await Task.sleep(for: .milliseconds(Int64.random(in: 0...1_000, using: &random)))
            workers[index] = try start(scene, folder)
            if disturbed.kills.isMultiple(of: 10) { print("\(disturbed.kills) kills") }
        }
        feeder.cancel()
        disturbed.records = try await feeder.value
        let began = ContinuousClock.now
        while try await !scene.isSettled(on: log) {
            if ContinuousClock.now - began > .seconds(180) {
                oracle.complain("not all records are done after three minutes of calm")
                break
            }
            try await Task.sleep(for: .milliseconds(200))
        }
        disturbed.settledAfter = ContinuousClock.now - began
        for worker in workers { worker.signal(SIGKILL) }
        for worker in workers { worker.waitUntilEnded() }
        return disturbed
    }

    private func start(_ scene: KillScene, _ folder: URL) throws -> ServerProcess {
        try ServerProcess([
            ProcessMemory.program, "kill-worker", "--log", scene.location, "--prefix", scene.prefix, "--book",
            "\(folder.path)/effects", "--parent", "\(getpid())",
        ])
    }

    /// Numbered records of conversations in a random order, until cancelled; answers how many.
    private func feed(_ scene: KillScene, _ log: any Log) async throws -> Int {
        var random = SeededGenerator(seed: seed &+ 1)
        var count = 0
        while !Task.isCancelled {
            let batch = (count..<count + rate / 10).map { number in
                let key = "conversation-\(Int.random(in: 0..<Self.conversations, using: &random))"
                return Record(topic: scene.input, key: Array(key.utf8), value: Array("\(number)".utf8))
            }
            // One after the other: a conversation's records lie in the order of their numbers.
            _ = try await log.produce(batch)
            count += batch.count
            try? await Task.sleep(for: .milliseconds(100))
        }
        return count
    }

    private func judge(
        _ scene: KillScene, _ log: any Log, _ book: EffectBook, _ disturbed: Disturbed, _ oracle: inout DeliveryOracle
    ) async throws {
        for entry in try book.entries() { oracle.effectBegins(entry.number, wasTold: entry.wasTold) }
        let numbers = 0..<disturbed.records
        for number in numbers where !EffectProcessor.isHopeless(number) && oracle.effects[number] == nil {
            oracle.complain("the effect of \(number) never began")
        }
        for number in numbers where EffectProcessor.isHopeless(number) && oracle.effects[number] != nil {
            oracle.complain("\(number) cannot be handled, and was acted on")
        }
        let outputs = try await scene.records(of: scene.output, on: log)
        let letters = try await scene.records(of: scene.deadLetters, on: log)
        let causes = disturbed.kills + disturbed.halts
        // Records that were done beyond the oldest that was not are not in the progress yet: whoever takes over answers them
        // again. A lane never holds more of them than its bound.
        oracle.judge(
            numbers, outputs: outputs, deadLetters: letters, copiesEach: causes,
            copiesInAll: causes * Int(KillScene.partitions) * KillScene.window)
        print(
            "effects: \(oracle.effects.values.reduce(0, +)) of \(oracle.effects.count) records; dead letters: \(letters.count)")
    }
}
