import EventLog
import Foundation
import ProcessorTesting
import SQLiteLog
import Testing
import WhatsApp

/// README.md, "Write your own processor", done as it says: written, built, tested and run on a log.
///
/// What is built already is used again (`ScratchPackage`); the new processor, its tests and the links take one to two
/// minutes.
@Suite struct ReadmeTests {
    /// The shell blocks of the section: the first builds and tests, the second runs until it is told to stop.
    private func commands() throws -> [String] {
        let readme = try String(contentsOfFile: "\(ScratchPackage.original)/README.md", encoding: .utf8)
        let section = try #require(readme.components(separatedBy: "\n## ").first { $0.hasPrefix("Write your own processor\n") })
        // Without the last line's end: what follows a command belongs to its line.
        return section.components(separatedBy: "```sh\n").dropFirst().map { block in
            block.components(separatedBy: "\n```")[0]
        }
    }

    /// Where `millrace` is: beside the test bundle.
    private var programs: String {
        let bundle = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: bundle).deletingLastPathComponent().path
    }

    @Test(.timeLimit(.minutes(15))) func theSectionWorksAsWritten() async throws {
        let commands = try commands()
        try #require(commands.count == 2)
        try await ScratchPackage.with { package in
            let path = ["PATH": programs + ":" + (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin")]
            let built = try await package.run(commands[0], environment: path)
            try #require(built.succeeded, "\(built.output.suffix(4_000))")
            #expect(built.output.contains("Test run with 2 tests"))
            try await rateMessages(commands[1], in: package)
        }
    }

    /// Three messages lie on a log; the program gives each its score, and stops when asked.
    private func rateMessages(_ command: String, in package: ScratchPackage) async throws {
        let location = "\(package.folder)/events.db"
        let log = try await SQLiteLog.open(path: location)
        let topics = Topics(partitions: 3)
        try await log.admin.createTopics([TopicSpec(topics.messages, partitions: 3, retention: .delete(days: 1))])
        let texts = ["Thanks, great service!", "my order is late and broken", "hello"]
        let messages = texts.enumerated().map { index, text in
            StoredRecord.message(text, from: "1555000000\(index)", id: "wamid.\(index)", topics: topics)
        }
        try await log.produce(
            messages.map { Record(topic: $0.topic, key: $0.key, value: $0.value, headers: $0.headers) })
        // SIGTERM as soon as everything is there; the program must then end by itself, with exit code 0.
        let running = Task {
            try await package.run(
                "\(command) & pid=$!; while [ ! -e enough ]; do kill -0 $pid; sleep 0.1; done; kill $pid; wait $pid",
                environment: ["MILLRACE_LOG": "sqlite:\(location)", "MILLRACE_STATE": "\(package.folder)/state"])
        }
        let values = try await rated(log, within: .seconds(60))
        try Data().write(to: URL(fileURLWithPath: "\(package.folder)/enough"))
        let ended = try await running.value
        #expect(ended.succeeded, "\(ended.output.suffix(2_000))")
        #expect(values == (0...2).map { #"{"message_id":"wamid.\#($0)","score":\#([2, -2, 0][$0])}"# })
        #expect(try await log.admin.lag(of: "millrace.sentiment", topics: [topics.messages]).values.allSatisfy { $0 == 0 })
        await log.close()
    }

    /// The values on `sentiment.v1`, sorted, when there are three of them or the time is up.
    private func rated(_ log: any Log, within limit: Duration) async throws -> [String] {
        let deadline = ContinuousClock.now + limit
        var values: [String] = []
        repeat {
            try await Task.sleep(for: .milliseconds(100))
            guard try await log.admin.topics().contains(where: { $0.topic == "sentiment.v1" }) else { continue }
            values = []
            let reader = try await log.reader()
            for partition in try await log.admin.partitions(of: "sentiment.v1") {
                let records = try await reader.read(partition, from: 0, maxRecords: 10, waitingUpTo: .zero)
                values += records.map { String(decoding: $0.value ?? [], as: UTF8.self) }
            }
            await reader.close()
        } while values.count < 3 && ContinuousClock.now < deadline
        return values.sorted()
    }
}
