import ArgumentParser
import EventLog
import Foundation
import Processing
import WhatsApp

/// Acts once for each record, and answers it with a record: what the oracle judges. Some records fail for a passing reason,
/// some for good, and some act without hearing what came of it.
struct EffectProcessor: Processor {
    let name: String
    let inputs: [Topic]
    let output: Topic
    let book: EffectBook
    /// While this file is there, every fifth record fails for a passing reason. When it is named nothing fails by chance.
    var hold: String?

    var work: WorkMode { .concurrent(limit: 20) }
    var effects: EffectMode { .marked }
    var retry: RetryPolicy {
        RetryPolicy(base: .milliseconds(50), cap: .seconds(1), maxAttempts: 1_000, maxAge: .seconds(86_400))
    }

    private func fails() -> Bool { hold == nil && Int.random(in: 0..<20) == 0 }

    /// Whether a record can never be handled.
    static func isHopeless(_ number: Int) -> Bool { number % 97 == 13 }

    func handle(_ record: StoredRecord, _ context: HandlerContext) async throws -> [Record] {
        guard let number = record.value.flatMap({ Int(String(decoding: $0, as: UTF8.self)) }),
            !Self.isHopeless(number)
        else { throw HandlerFailure.permanent("hopeless", "") }
        let answer = [Record(topic: output, key: record.key, value: record.value)]
        if let hold, number % 5 == 0, FileManager.default.fileExists(atPath: hold) {
            throw HandlerFailure.transient("held", "")
        }
        let isTold = context.effect == .unknown
        if isTold, try book.holds(number) { return answer }
        if !isTold, fails() { throw HandlerFailure.transient("before", "", effect: .none) }
        try await context.beginEffect()
        try book.write(EffectBook.Entry(number: number, wasTold: isTold))
        try await Task.sleep(for: .milliseconds(Int64.random(in: 1...10)))
        if fails() { throw HandlerFailure.transient("answer-lost", "") }
        return answer
    }
}

/// Runs the processor until it is killed.
struct KillWorker: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "kill-worker", shouldDisplay: false)
    @Option var log: String
    @Option var prefix: String
    @Option var book: String
    @Option var parent: Int32
    @Option var hold: String?

    func run() async throws {
        let scene = KillScene(location: log, prefix: prefix)
        let open = try await scene.open()
        let runtime = ProcessorRuntime(
            processor: EffectProcessor(
                name: prefix, inputs: [scene.input], output: scene.output, book: try EffectBook(book),
                hold: hold),
            log: open,
            configuration: ProcessorRuntimeConfiguration(
                maxLaneRecords: KillScene.window, controlTopic: Topics().control, sessionTimeout: .seconds(6)),
            logger: Backlog.silentLogger())
        // Left behind by a parent that was killed itself: end.
        Task.detached { [parent] in
            while getppid() == parent { try? await Task.sleep(for: .seconds(1)) }
            Glibc.exit(1)
        }
        try await runtime.run()
    }
}
