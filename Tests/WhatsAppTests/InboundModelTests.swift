import EventLog
import Testing

@testable import WhatsApp

@Suite struct InboundModelTests {
    private static func stored(_ file: String) throws -> [StoredRecord] {
        let good = try #require(Fixtures.good.first { $0.file == file })
        return try WebhookFixtureTests.split(Fixtures.body(file), good.channel).map(stored)
    }

    private static func stored(_ record: Record) -> StoredRecord {
        StoredRecord(
            source: TopicPartition(record.topic, 0), offset: 0, key: record.key, value: record.value,
            headers: record.headers, timestamp: record.timestamp ?? Timestamp(milliseconds: 0))
    }

    private static func message(_ file: String) throws -> InboundMessage {
        try InboundMessage(#require(stored(file).first))
    }
    private static func status(_ file: String) throws -> MessageStatus {
        try MessageStatus(#require(stored(file).first))
    }

    @Test func readsAText() throws {
        let message = try Self.message("cloud/msg-text-reply.json")
        #expect(message.id == message.eventID)
        #expect(message.source == "/360dialog/900100200300401/700100200300501")
        #expect(
            message.channel
                == ChannelIdentity(
                    name: "shop", hosting: .cloud, wabaID: "900100200300401", phoneNumberID: "700100200300501",
                    displayPhoneNumber: "15550009001"))
        #expect(message.type == "text")
        #expect(message.text == "Yes, that one please")
        #expect(message.timestamp == Timestamp(seconds: 1_790_000_007) && !message.timestampIsArrival)
        #expect(message.from == "15550001111" && message.userKey == "15550001111")
        #expect(message.conversationKey == "700100200300501:15550001111")
        #expect(message.contactName == "Ana Sample")
        #expect(message.quotedMessageID?.hasPrefix("wamid.") == true)
        #expect(message.buttonID == nil && !message.isGroup)
    }

    @Test(
        arguments: [
            ("cloud/msg-button-template.json", "Confirm", "CONFIRM:order-4711"),
            ("cloud/msg-button-no-payload.json", "Yes, this one", nil),
            ("cloud/msg-interactive-button-reply.json", "Cancel", "btn.cancel/4711"),
            ("cloud/msg-interactive-list-reply.json", "09:30", "slot-0930"),
            ("cloud/msg-interactive-flow-reply.json", nil, nil), ("cloud/msg-image.json", nil, nil),
            ("onprem/msg-button.json", "Yes", "YES"),
        ] as [(String, String?, String?)])
    func readsWhatWasTapped(_ file: String, _ text: String?, _ buttonID: String?) throws {
        let message = try Self.message(file)
        #expect(message.text == text)
        #expect(message.buttonID == buttonID)
    }

    @Test(
        arguments: [
            ("cloud/msg-from-with-plus.json", "15550001111", nil, "15550001111"),
            ("cloud/msg-bsuid-no-phone.json", nil, "US.900000000000000001111", "US.900000000000000001111"),
            ("cloud/msg-bsuid-in-from.json", nil, "US.900000000000000001111", "US.900000000000000001111"),
            (
                "cloud/msg-group-text.json", "15550001111", "US.900000000000000001111",
                "group:Y2FwaV9ncm91cDpTQU1QTEUtMDAx"
            ),
        ] as [(String, String?, String?, String)])
    func tellsTheSendersIdentitiesApart(_ file: String, _ from: String?, _ userID: String?, _ userKey: String) throws {
        let message = try Self.message(file)
        #expect(message.from == from && message.fromUserID == userID && message.userKey == userKey)
        #expect(message.isGroup == userKey.hasPrefix("group:"))
    }

    @Test func everyMessageAndStatusOfTheFixturesCanBeRead() throws {
        let topics = Topics()
        for good in Fixtures.good {
            for record in try Self.stored(good.file) {
                if record.topic == topics.messages { _ = try InboundMessage(record) }
                if record.topic == topics.statuses { _ = try MessageStatus(record) }
            }
        }
    }

    @Test(arguments: [
        "message-type-missing", "message-body-wrong-type", "message-body-text-number", "message-timestamp-garbage",
    ])
    func oddMessagesOfTheBadBodiesCanBeRead(_ file: String) throws {
        let records = try WebhookFixtureTests.split(
            Fixtures.body("bad/\(file).json"), ChannelIdentity(name: "shop", hosting: .cloud))
        let message = try InboundMessage(Self.stored(#require(records.first)))
        #expect(message.type == (file == "message-type-missing" ? "unknown" : "text"))
        #expect(message.text == (file.contains("body") ? nil : "ok 1"))
        #expect(message.timestampIsArrival == (file == "message-timestamp-garbage"))
    }

    @Test func readsAStatus() throws {
        let status = try Self.status("cloud/status-failed-two-errors.json")
        #expect(status.status == "failed" && !status.isPayment)
        #expect(status.errorCodes == [131026, 131053])
        #expect(status.recipient == "15550001111" && status.participant == nil && status.tag == nil)
        #expect(status.conversationKey == "700100200300501:15550001111")
        let priced = try Self.status("cloud/status-sent-pmp.json")
        #expect(priced.pricingCategory == "utility" && priced.pricingType == "regular")
        let group = try Self.status("cloud/status-group-participants-bsuid.json")
        #expect(group.isGroup && group.recipient == "Y2FwaV9ncm91cDpTQU1QTEUtMDAx")
        #expect(group.participant == "US.900000000000000001111")
        #expect(try Self.status("cloud/status-payment.json").isPayment)
        let username = try Self.status("cloud/status-bsuid-only.json")
        #expect(username.recipient == nil && username.recipientUserID == "US.900000000000000001111")
    }

    @Test func refusesRecordsOfOtherTopics() throws {
        let status = try #require(Self.stored("cloud/status-sent.json").first)
        #expect(throws: MalformedRecord("message")) { try InboundMessage(status) }
        let message = try #require(Self.stored("cloud/msg-text.json").first)
        #expect(throws: MalformedRecord("status")) { try MessageStatus(message) }
        var damaged = message
        damaged.value = Array("{".utf8)
        #expect(throws: MalformedRecord("value")) { try InboundMessage(damaged) }
        damaged.value = nil
        #expect(throws: MalformedRecord("value")) { try InboundMessage(damaged) }
    }
}
