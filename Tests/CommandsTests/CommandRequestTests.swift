import EventLog
import Testing
import WhatsApp

@testable import Commands

@Suite struct CommandRequestTests {
    @Test func everythingIsRead() throws {
        let whole = try request(
            key: "k", to: "+1 (555) 000-1111",
            more: #","fallback":{"type":"template","template":{}},"route":"marketing_messages","bulk":true,"#
                + #""expires_in":60,"window_ends_at":1790000000123,"opaque":"order 17""#)
        let now = Timestamp(seconds: 1_790_000_000)
        let command = whole.command(channel: Bench.channels[0], id: "c1", at: now)
        #expect(command.recipient == .to("15550001111"))
        #expect(command.conversationKey == "700:15550001111")
        #expect(command.expiresAt == now + .seconds(60))
        #expect(command.windowEndsAt == Timestamp(milliseconds: 1_790_000_000_123))
        #expect(command.route == .marketingMessages)
        #expect(command.fallback?["type"]?.string == "template")
        #expect(command.opaque == "order 17")
        #expect(whole.isBulk)
        #expect(whole.idempotencyKey == "k")
    }

    @Test func defaultsAreADayAndTheTopicOfThePurpose() throws {
        let plain = try request()
        #expect(plain.lifetime == .seconds(86_400))
        #expect(!plain.isBulk && plain.idempotencyKey == nil && plain.route == .messages)
        let marketing = #"{"channel":"c","group":"g","purpose":"marketing","message":{}}"#
        #expect(try CommandRequest(Array(marketing.utf8)).isBulk)
    }

    @Test func groupsAndUserIDsHaveKeysOfTheirOwn() throws {
        func command(_ recipient: String) throws -> OutboundCommand {
            let text = #"{"channel":"old",\#(recipient),"purpose":"reply","message":{}}"#
            return try CommandRequest(Array(text.utf8)).command(
                channel: Bench.channels[1], id: "c", at: Timestamp(seconds: 1))
        }
        #expect(try command(#""group":"G1""#).conversationKey == "old:group:G1")
        #expect(try command(#""group":"G1""#).recipient == .to("G1"))
        #expect(try command(#""recipient":"US.1""#).conversationKey == "old:US.1")
        #expect(try command(#""recipient":"US.1""#).recipient == .userID("US.1"))
    }

    /// BASE stands for members that are all right.
    @Test(arguments: [
        ("", "body"), ("[]", "body"), (#"{"BASE"#, "body"), (#"{BASE,"SECRET":1}"#, "body"),
        (#"{BASE,"purpose":"reply"}"#, "purpose"), (#"{"to":"15550001111","purpose":"reply","message":{}}"#, "channel"),
        (#"{"channel":"","to":"15550001111","purpose":"reply","message":{}}"#, "channel"),
        (#"{"channel":"c","purpose":"reply","message":{}}"#, "to"), (#"{BASE,"group":"g"}"#, "to"),
        (#"{"channel":"c","to":"SECRET","purpose":"reply","message":{}}"#, "to"),
        (#"{"channel":"c","to":"123","purpose":"reply","message":{}}"#, "to"),
        (#"{"channel":"c","to":15550001111,"purpose":"reply","message":{}}"#, "to"),
        (#"{"channel":"c","to":"15550001111","message":{}}"#, "purpose"),
        (#"{"channel":"c","to":"15550001111","purpose":"SECRET","message":{}}"#, "purpose"),
        (#"{"channel":"c","to":"15550001111","purpose":"reply"}"#, "message"),
        (#"{"channel":"c","to":"15550001111","purpose":"reply","message":"SECRET"}"#, "message"),
        (#"{BASE,"fallback":[]}"#, "fallback"), (#"{BASE,"route":"x"}"#, "route"), (#"{BASE,"bulk":1}"#, "bulk"),
        (#"{BASE,"expires_in":0}"#, "expires_in"), (#"{BASE,"expires_in":518401}"#, "expires_in"),
        (#"{BASE,"expires_in":1.5}"#, "expires_in"), (#"{BASE,"window_ends_at":-1}"#, "window_ends_at"),
        (#"{BASE,"opaque":""}"#, "opaque"), (#"{BASE,"idempotency_key":""}"#, "idempotency_key"),
    ])
    func brokenRequestNamesTheMember(text: String, field: String) {
        let base = #""channel":"c","to":"15550001111","purpose":"utility","message":{}"#
        let fault = #expect(throws: MessageFault.self) { _ = try CommandRequest(Array(text.replacing("BASE", with: base).utf8)) }
        #expect(fault?.path == field)
        #expect(fault?.description.contains("SECRET") == false)
    }

    @Test func deepNestingIsRefused() {
        let deep = String(repeating: "[", count: 70) + String(repeating: "]", count: 70)
        #expect(throws: MessageFault("body", "must be one JSON object")) { _ = try request(more: #","opaque":\#(deep)"#) }
    }
}

@Suite struct KeyIndexTests {
    private func entry(_ content: UInt128, at seconds: Int64) -> KeyIndex.Entry {
        KeyIndex.Entry(
            content: content, requestedAt: Timestamp(seconds: seconds), expiresAt: Timestamp(seconds: seconds + 60))
    }

    @Test func firstClaimCounts() {
        var index = KeyIndex(memory: .seconds(100), maxKeys: 10)
        index.insert(entry(1, at: 1), for: 7, now: Timestamp(seconds: 2))
        index.insert(entry(2, at: 1), for: 7, now: Timestamp(seconds: 2))
        #expect(index[7] == entry(1, at: 1))
        #expect(index[8] == nil)
    }

    @Test func keysAreForgottenByAgeAndByNumber() {
        var index = KeyIndex(memory: .seconds(100), maxKeys: 3)
        index.insert(entry(1, at: 0), for: 1, now: Timestamp(seconds: 99))
        #expect(index[1] != nil)
        index.insert(entry(1, at: 0), for: 2, now: Timestamp(seconds: 100))
        #expect(index[1] == nil && index[2] == nil, "older than the memory")
        for id in 10..<14 { index.insert(entry(1, at: 100), for: UInt128(id), now: Timestamp(seconds: 100)) }
        #expect(index.count == 3)
        #expect(index[10] == nil && index[13] != nil)
    }

    @Test func forgettingKeepsItsBooksOverManyKeys() {
        var index = KeyIndex(memory: .seconds(10), maxKeys: 2_000)
        for id in 0..<20_000 {
            index.insert(entry(1, at: Int64(id) / 100), for: UInt128(id), now: Timestamp(seconds: Int64(id) / 100))
        }
        #expect(index.count == 1_000)
        #expect(index[19_999] != nil && index[18_999] == nil)
    }
}
