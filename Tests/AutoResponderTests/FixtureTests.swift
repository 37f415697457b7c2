import EventLog
import Foundation
import ProcessorTesting
import Testing
import WhatsApp

@testable import auto_responder

/// Every well-formed webhook body of the splitter's tests, answered by the example rules.
@Suite struct FixtureTests {
    private static let fixtures = testsFolder("WhatsAppTests/Fixtures")
    private static let onPremise = ChannelIdentity(name: "old", hosting: .onPremise, displayPhoneNumber: "15550009001")

    private static func bodies(_ folder: String) throws -> [(name: String, body: [UInt8])] {
        try FileManager.default.contentsOfDirectory(atPath: fixtures.appending(path: folder).path).sorted().map {
            ("\(folder)/\($0)", Array(try Data(contentsOf: fixtures.appending(path: "\(folder)/\($0)"))))
        }
    }

    @Test func everyFixtureIsHandledAndOnlyPeopleAreAnswered() async throws {
        let responder = AutoResponderProcessor(topics: Topics(), rules: try ReplyRules.example())
        let answered: Set<String> = [
            "text", "image", "video", "audio", "voice", "document", "sticker", "location", "contacts", "button",
            "interactive", "order", "request_welcome",
        ]
        var (messages, replies) = (0, 0)
        for folder in ["cloud", "onprem", "partner"] {
            let channel = folder == "onprem" ? Self.onPremise : ChannelIdentity(name: "shop", hosting: .cloud)
            for (name, body) in try Self.bodies(folder) {
                let state = MemoryState()
                for record in try stored(body, channel: channel) where record.topic == Topics().messages {
                    let message = try InboundMessage(record)
                    let now = message.timestamp + .seconds(1)
                    let outputs = try await responder.handle(record, context(state, now: now))
                    messages += 1
                    replies += outputs.count
                    for output in outputs {
                        let stored = StoredRecord(output, at: now)
                        let command = try OutboundCommand(stored)
                        #expect(answered.contains(message.type) && !message.isGroup, "\(name)")
                        #expect(command.conversationKey == message.conversationKey, "\(name)")
                        #expect(command.message["context"]?["message_id"]?.string == message.id)
                    }
                }
            }
        }
        #expect(messages > 200)
        #expect(replies > 50)
    }
}
