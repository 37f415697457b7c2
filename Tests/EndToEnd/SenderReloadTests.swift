import EventLog
import Foundation
import Service
import Testing
import WhatsApp

/// A key that is wrong holds its number, and nothing else is needed than the right one.
@Suite(.serialized) struct SenderReloadTests {
    @Test func aNumberHeldForItsKeyGoesOnWithTheNewKey() async throws {
        let keys = NSTemporaryDirectory() + "millrace-keys-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: keys, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: keys) }
        func write(_ key: String) throws { try Data(key.utf8).write(to: URL(filePath: keys + "/demo"), options: .atomic) }
        try write("revoked-key-4711")
        try await Pipeline.run(
            load: .init(customers: 1, messagesPerSecond: 0, messages: 0), stages: ["millrace-ingress", "outbound-sender"],
            settings: ["MILLRACE_SENDER_API_KEYS": keys, "MILLRACE_LOG_LEVEL": "trace"]
        ) { pipeline in
            let commands = CommandLoad(pipeline, rate: 20)
            let ends = try await CommandEnds(pipeline)
            // One alone: others would be under way before the first refusal holds the number.
            try await commands.write(upTo: 1)
            try await eventually("the old key is refused") { pipeline.simulator.report().sends.refused["401"] != nil }
            let feeding = Task { try await commands.feed() }
            try await eventually("many commands wait") { commands.written > 60 }
            feeding.cancel()
            _ = await feeding.result
            let refused = pipeline.simulator.report().sends.refused["401"] ?? 0
            #expect(refused < 10, "held: the number is not tried with every command")
            #expect(pipeline.simulator.report().sends.accepted == 0)
            try write("test-key\n")
            try await eventually("all commands went out with the new key") {
                try await ends.read()
                return (0..<commands.written).allSatisfy { ends.isAccepted(commands.id($0)) }
            }
            #expect(ends.others.isEmpty, "nothing was given up: \(ends.others.prefix(3))")
            #expect(pipeline.simulator.report().sends.commands.moreThanOnce == 0)
            let log = try String(contentsOfFile: "\(pipeline.directory)/logs/outbound-sender.log", encoding: .utf8)
            #expect(!log.isEmpty && !log.contains("4711") && !log.contains("test-key"))
        }
    }
}
