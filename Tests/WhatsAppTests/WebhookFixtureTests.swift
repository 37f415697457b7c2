import EventLog
import Testing

@testable import WhatsApp

@Suite struct WebhookFixtureTests {
    static let topics = Topics()
    /// A week after the newest event in the fixtures.
    static let arrival = Timestamp(seconds: 1_790_604_800)

    static func split(
        _ body: [UInt8], _ channel: ChannelIdentity, at arrival: Timestamp = Self.arrival
    ) throws(SplitError) -> [Record] {
        try WebhookSplitter.split(body, channel: channel, topics: topics, receivedAt: arrival)
    }

    static func counts(_ records: [Record]) -> Fixtures.Counts {
        func count(_ topic: Topic) -> Int { records.count { $0.topic == topic } }
        return Fixtures.Counts(
            messages: count(topics.messages), statuses: count(topics.statuses), errors: count(topics.errors),
            others: count(topics.other))
    }

    @Test func theFixturesAreAllThere() {
        #expect(Fixtures.good.count == 224)
        #expect(Fixtures.bad.count == 119)
    }

    @Test(arguments: Fixtures.good.map(\.file))
    func goodBodyGivesTheRecordsOfTheManifest(_ file: String) throws {
        let good = try #require(Fixtures.good.first { $0.file == file })
        let records = try Self.split(try Fixtures.body(file), good.channel)
        #expect(Self.counts(records) == good.counts)
        #expect(
            try records.filter { $0.topic == Self.topics.messages }.map { try Self.item($0, "message") }
                == good.messages.map(Self.spelledOut))
        #expect(
            try records.filter { $0.topic == Self.topics.statuses }.map { try Self.item($0, "status") }
                == good.statuses.map(Self.spelledOut))
        #expect(
            try records.filter { $0.topic == Self.topics.errors }.map(Self.failure)
                == good.errors.map { Fixtures.Failure(code: $0.code, business: Self.business($0.business)) })
        let others = try records.filter { $0.topic == Self.topics.other }.map(Self.other)
        let isPartner = good.hosting == "partner"
        #expect(
            others
                == good.others.map {
                    Fixtures.Other(
                        field: $0.field, entryID: $0.entryID, business: isPartner ? "shop" : $0.business ?? $0.entryID)
                })
    }

    @Test(arguments: Fixtures.bad.map(\.file))
    func badBodyGetsItsAnswer(_ file: String) throws {
        let bad = try #require(Fixtures.bad.first { $0.file == file })
        // Size and content encoding are the server's to judge: there is nothing to split.
        if bad.http == 413 { return }
        let body = try Fixtures.body("bad/" + file)
        let hosting: Hosting = file.hasPrefix("onprem") ? .onPremise : .cloud
        do {
            let records = try Self.split(body, ChannelIdentity(name: "shop", hosting: hosting))
            #expect(bad.http == 200)
            #expect(Self.counts(records) == bad.records)
        } catch {
            #expect(bad.http == 400, "\(error)")
        }
    }

    // MARK: Reading records back, by the reader for whole values

    static func value(_ record: Record) throws -> JSON { try JSON(parsing: #require(record.value)) }
    static func key(_ record: Record) throws -> String { String(decoding: try #require(record.key), as: UTF8.self) }

    private static func spelledOut(_ item: Fixtures.Item) -> Fixtures.Item {
        var item = item
        item.conversationKey = item.conversationKey.replacing("@channel", with: "shop")
        return item
    }

    private static func business(_ text: String?) -> String? { text?.replacing("@channel", with: "shop") }

    private static func item(_ record: Record, _ member: String) throws -> Fixtures.Item {
        let event = try CloudEvent(record.headers)
        let item = try #require(try value(record)[member])
        let key = try key(record)
        #expect(event.partitionKey == key)
        #expect(event.subject == item["id"]?.string)
        if member == "message" { #expect(event.id == item["id"]?.string) }
        let isGroup = item["recipient_type"]?.string == "group"
        let timestamp = try #require(item["timestamp"])
        return Fixtures.Item(
            id: item["id"]?.string ?? "", type: member == "message" ? item["type"]?.string : nil,
            status: item["status"]?.string, timestamp: timestamp.string ?? "\(timestamp.integer ?? -1)",
            userKey: String(key.drop { $0 != ":" }.dropFirst()), conversationKey: key,
            participant: isGroup
                ? item["recipient_participant_id"]?.string ?? item["recipient_participant_user_id"]?.string : nil)
    }

    private static func failure(_ record: Record) throws -> Fixtures.Failure {
        let error = try value(record)["error"]
        return Fixtures.Failure(
            code: try #require(error?["code"]?.integer), business: try key(record))
    }

    private static func other(_ record: Record) throws -> Fixtures.Other {
        let value = try value(record)
        let entryID =
            value["value"]?["event"] != nil && value["channel"]?["waba_id"]?.string == nil
            ? value["value"]?["id"]?.string : value["channel"]?["waba_id"]?.string
        return Fixtures.Other(
            field: value["field"]?.string, entryID: entryID, business: try key(record))
    }
}
