import EventLog
import Testing
import WhatsApp

@Suite struct ConsentTests {
    static let channel = ChannelIdentity(name: "shop", hosting: .cloud, phoneNumberID: "700100200300501")

    /// The records that the ingress makes of a recorded webhook.
    private func records(_ file: String) throws -> [StoredRecord] {
        try WebhookSplitter.split(
            Fixtures.body("cloud/\(file)"), channel: Self.channel, topics: Topics(),
            receivedAt: Timestamp(seconds: 1_790_000_100)
        ).map(OutboundCommandTests.stored)
    }

    @Test func stopAndResumeOfThePlatformAreRead() throws {
        let stop = try #require(try ConsentChange.changes(in: records("field-user-preferences-stop.json")[0]).first)
        #expect(stop.isStopped)
        #expect(stop.source == .preference)
        #expect(stop.at == Timestamp(seconds: 1_790_000_000))
        #expect(stop.conversationKeys == ["700100200300501:15550001111", "700100200300501:US.900000000000000001111"])
        let resume = try ConsentChange.changes(in: records("field-user-preferences-resume.json")[0])
        #expect(resume.map(\.isStopped) == [false])
        #expect(resume.map(\.at) == [Timestamp(seconds: 1_790_000_000)], "a time as text")
        #expect(try ConsentChange.changes(in: records("field-security.json")[0]).isEmpty)
    }

    @Test(arguments: [
        (#"{"wa_id":"1555","category":"utility_messages","value":"stop"}"#, 0),
        (#"{"wa_id":"1555","category":"marketing_messages","value":"perhaps"}"#, 0),
        (#"{"category":"marketing_messages","value":"stop"}"#, 0), (#"17"#, 0),
        (#"{"wa_id":15550001111,"value":"STOP","timestamp":"soon"}"#, 1),
        (#"{"parent_user_id":"US.ENT.1","value":"stop","timestamp":1790000000123}"#, 1),
    ])
    func oddItemsAreReadAsFarAsTheyGo(item: String, count: Int) throws {
        let value = #"{"channel":{"name":"shop"},"field":"user_preferences","value":{"user_preferences":[\#(item)]}}"#
        let headers = CloudEvent(
            type: .otherReceived, id: "e", source: "/s", time: Timestamp(seconds: 17), recordedTime: nil,
            partitionKey: nil
        ).headers
        let record = Record(topic: "other", key: [1], value: Array(value.utf8), headers: headers)
        let changes = try ConsentChange.changes(in: OutboundCommandTests.stored(record))
        #expect(changes.count == count)
        for change in changes {
            #expect([Timestamp(seconds: 17), Timestamp(milliseconds: 1_790_000_000_123)].contains(change.at))
        }
    }

    @Test(arguments: [
        ("STOP", true), (" stop. ", true), ("Stop!", true), ("¡Alto!", true), ("start", false),
        ("opt   out", true), ("please stop", nil), ("stop the music", nil), ("", nil), ("…", nil),
    ] as [(String, Bool?)])
    func onlyTheWordAloneCounts(text: String, expected: Bool?) {
        let words = ConsentWords(stop: ["stop", "ALTO", "Opt out", " "], resume: ["START", "stop"])
        #expect(words.meaning(of: text) == expected)
        #expect(ConsentWords(stop: [], resume: []).meaning(of: text) == nil)
    }

    @Test func wordOfACustomerIsReadAndOneInAGroupIsNot() throws {
        let words = ConsentWords(stop: ["Is the blue kettle back in stock?"], resume: [])
        let message = try InboundMessage(records("msg-text.json")[0])
        let change = try #require(ConsentChange(message, words: words))
        #expect(change.conversationKeys == ["700100200300501:15550001111"])
        #expect(change.at == message.timestamp)
        #expect(change.source == .word)
        var inGroup = message
        inGroup.isGroup = true
        #expect(ConsentChange(inGroup, words: words) == nil)
    }

    @Test func refusalOfMarketingStops() throws {
        let command = try OutboundCommandTests.command()
        let stopped = ClassifiedError(code: 131050, errorClass: .marketing, meaning: "stopped")
        let now = Timestamp(seconds: 5)
        #expect(ConsentChange(stopped, of: command, at: now)?.conversationKeys == [command.conversationKey])
        let capped = ClassifiedError(code: 131049, errorClass: .marketing, meaning: "cap")
        #expect(ConsentChange(capped, of: command, at: now) == nil)
    }

    /// Every order of the same events gives the same consent, and copies change nothing.
    @Test func mergingIsAChoiceOfTheLatestWord() {
        let events = [
            Consent(isStopped: true, at: Timestamp(seconds: 1), source: .word, aliases: ["a"]),
            Consent(isStopped: false, at: Timestamp(seconds: 3), source: .preference, aliases: ["b"]),
            Consent(isStopped: true, at: Timestamp(seconds: 3), source: .answer),
            Consent(isStopped: false, at: Timestamp(seconds: 2), source: .preference),
        ]
        var seen: Set<Consent> = []
        for first in 0..<4 {
            for step in [1, 3] {
                var consent = events[first]
                for turn in 1..<8 { consent.merge(events[(first + turn * step) % 4]) }
                seen.insert(consent)
            }
        }
        #expect(seen.count == 1)
        #expect(seen.first?.isStopped == true, "of two words of the same moment the stop counts")
        #expect(seen.first?.aliases == ["a", "b"])
    }

    @Test func comesBackFromItsBytesAndStaysBounded() throws {
        let many = Set((0..<100).map { "7:\($0)" })
        let consent = Consent(isStopped: true, at: Timestamp(milliseconds: 17), source: .answer, aliases: many)
        #expect(consent.aliases.count == 8)
        #expect(Consent(decoding: consent.encoded()) == consent)
        #expect(Consent(decoding: Array("{}".utf8)) == nil)
    }
}
