import Testing
import WhatsApp

@Suite struct CommandTagTests {
    @Test func readsBackWhatItWrote() throws {
        let tag = try #require(CommandTag(commandID: "0a1b", conversationKey: "7001:group:Y2Fw"))
        #expect(tag.encoded == "mr1:0a1b:7001:group:Y2Fw")
        #expect(CommandTag(parsing: tag.encoded) == tag)
    }

    @Test(arguments: ["", "mr1:", "mr1:a", "mr1::key", "mr1:a:", "mr2:a:b", "MR1:a:b", "{\"cmd\":\"mr1:a:b\"}"])
    func othersCallbackDataIsNoTag(_ text: String) {
        #expect(CommandTag(parsing: text) == nil)
    }

    @Test func refusesWhatThePlatformWouldCutOrWeCouldNotRead() {
        let longest = String(repeating: "k", count: CommandTag.maxBytes - 6)
        #expect(CommandTag(commandID: "a", conversationKey: longest)?.encoded.utf8.count == CommandTag.maxBytes)
        #expect(CommandTag(commandID: "a", conversationKey: longest + "k") == nil)
        #expect(CommandTag(commandID: "a:b", conversationKey: "k") == nil)
        #expect(CommandTag(parsing: "mr1:a:" + longest + "k") == nil)
    }
}
