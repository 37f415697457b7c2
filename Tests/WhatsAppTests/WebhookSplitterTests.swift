import EventLog
import Testing

@testable import WhatsApp

@Suite struct WebhookSplitterTests {
    static let topics = WebhookFixtureTests.topics
    static let arrival = WebhookFixtureTests.arrival
    static let shop = ChannelIdentity(name: "shop", hosting: .cloud)

    static func split(_ body: String, _ channel: ChannelIdentity = shop, at arrival: Timestamp = arrival) throws
        -> [Record]
    {
        try WebhookFixtureTests.split(Array(body.utf8), channel, at: arrival)
    }

    /// A Cloud API body with one change.
    static func cloud(
        _ inside: String, waba: String = "9001", phone: String? = "7001", field: String = "messages", entry: String = ""
    ) -> String {
        let metadata = phone.map { #""metadata":{"display_phone_number":"1555","phone_number_id":"\#($0)"},"# } ?? ""
        return
            #"{"object":"whatsapp_business_account","entry":[{"id":"\#(waba)"\#(entry),"changes":[{"field":"\#(field)","value":{\#(metadata)\#(inside)}}]}]}"#
    }

    static func message(_ members: String) -> String { cloud(#""messages":[{"id":"m1",\#(members)}]"#) }
    static func status(_ members: String) -> String { cloud(#""statuses":[{"id":"m1","status":"sent",\#(members)}]"#) }

    static func key(_ record: Record) -> String { String(decoding: record.key ?? [], as: UTF8.self) }
    static func value(_ record: Record) throws -> JSON { try WebhookFixtureTests.value(record) }
    static func event(_ record: Record) throws -> CloudEvent { try CloudEvent(record.headers) }

    // MARK: The record

    @Test func aMessageRecordIsCompleteInItself() throws {
        let body = Self.cloud(
            #""contacts":[{"wa_id":"1555", "profile":{}}],"messages":[{"id":"m\u0031","from":"+1 (555)","timestamp":"1790000007", "type":"text"}]"#
        )
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        let records = try WebhookSplitter.split(
            Array(body.utf8), channel: Self.shop, topics: Self.topics, receivedAt: Self.arrival, traceparent: trace)
        let record = try #require(records.first)
        #expect(records.count == 1 && record.topic == Self.topics.messages && record.partition == nil)
        #expect(Self.key(record) == "7001:1555")
        let value = try String(decoding: #require(record.value), as: UTF8.self)
        #expect(
            value
                == #"{"channel":{"name":"shop","hosting":"cloud","waba_id":"9001","phone_number_id":"7001","display_phone_number":"1555"},"contact":{"wa_id":"1555", "profile":{}},"message":{"id":"m\u0031","from":"+1 (555)","timestamp":"1790000007", "type":"text"}}"#
        )
        let expected = CloudEvent(
            type: .messageReceived, id: "m1", source: "/360dialog/9001/7001", subject: "m1",
            time: Timestamp(seconds: 1_790_000_007), recordedTime: Self.arrival, partitionKey: "7001:1555",
            correlationID: "m1", traceparent: trace)
        #expect(try Self.event(record) == expected)
        #expect(Set(record.headers) == Set(expected.headers))
    }

    @Test func onPremiseBodiesAreKeyedByTheChannel() throws {
        let body =
            #"{"messages":[{"id":"m1","from":"1555"}],"statuses":[{"id":"m2","status":"read","recipient_id":"1556"}],"errors":[{"code":1}]}"#
        let named = try Self.split(body, ChannelIdentity(name: "old", hosting: .onPremise))
        #expect(named.map(Self.key) == ["old:1555", "old:1556", "old"])
        #expect(try named.map { try Self.event($0).source } == Array(repeating: "/360dialog/-/old", count: 3))
        let configured = try Self.split(
            body, ChannelIdentity(name: "old", hosting: .onPremise, wabaID: "9", phoneNumberID: "7"))
        #expect(configured.map(Self.key) == ["7:1555", "7:1556", "7"])
        #expect(try Self.value(configured[0])["channel"]?["hosting"]?.string == "on-premise")
        #expect(try Self.event(configured[0]).source == "/360dialog/9/7")
    }

    @Test func accountEventsAreKeyedByTheAccount() throws {
        let body = Self.cloud(
            #""event":"VERIFIED""#, phone: nil, field: "account_update", entry: #","time":1790000001"#)
        let record = try #require(Self.split(body).first)
        #expect(Self.key(record) == "9001")
        let event = try Self.event(record)
        #expect(
            event.source == "/360dialog/9001" && event.subject == "account_update"
                && event.time == Timestamp(seconds: 1_790_000_001))
        let value = try String(decoding: #require(record.value), as: UTF8.self)
        #expect(
            value
                == #"{"channel":{"name":"shop","hosting":"cloud","waba_id":"9001","phone_number_id":null,"display_phone_number":null},"field":"account_update","value":{"event":"VERIFIED"}}"#
        )
    }

    // MARK: Time

    @Test(
        arguments: [
            (#""1790000007""#, 1_790_000_007_000), ("1790000007", 1_790_000_007_000),
            (#""1790000007005""#, 1_790_000_007_005),
            ("1790000100.75", 1_790_000_100_000), (#""1""#, 1_000), (#""0""#, nil), (#""-5""#, nil), ("-5", nil),
            (#""soon""#, nil),
            (#""""#, nil), ("1e9", nil), ("null", nil), ("{}", nil), (#""9999999999""#, nil),
            (#""99999999999999999999999""#, nil),
            (#""1790000007 ""#, nil), (#"".5""#, nil),
        ] as [(String, Int64?)])
    func readsTheTimeOrSaysThatItIsTheArrival(_ timestamp: String, _ milliseconds: Int64?) throws {
        for body in [
            Self.message(#""from":"1555","timestamp":\#(timestamp)"#),
            Self.status(#""recipient_id":"1555","timestamp":\#(timestamp)"#),
        ] {
            let event = try Self.event(#require(Self.split(body).first))
            #expect(event.time == milliseconds.map { Timestamp(milliseconds: $0) } ?? Self.arrival)
            #expect(event.timeIsArrival == (milliseconds == nil))
        }
    }

    @Test func theLogsTimestampIsNeverOldEnoughToExpireNorAhead() throws {
        func logTime(_ secondsAfterArrival: Int64) throws -> Timestamp? {
            let time = Self.arrival.milliseconds / 1_000 + secondsAfterArrival
            return try Self.split(Self.message(#""from":"1","timestamp":"\#(time)""#)).first?.timestamp
        }
        #expect(try logTime(-60) == Self.arrival - .seconds(60))
        #expect(try logTime(-7 * 86_400) == Self.arrival - .seconds(7 * 86_400))
        #expect(try logTime(-7 * 86_400 - 1) == Self.arrival)
        #expect(try logTime(60) == Self.arrival)
    }

    // MARK: Identity

    @Test func redeliveryAndRepackingRepeatTheIdentity() throws {
        for good in Fixtures.good {
            let body = try Fixtures.body(good.file)
            let first = try WebhookFixtureTests.split(body, good.channel)
            let again = try WebhookFixtureTests.split(body, good.channel, at: Self.arrival + .seconds(86_400))
            let identities = try first.map { try Self.identity($0) }
            #expect(try again.map { try Self.identity($0) } == identities)
            #expect(again.map(\.key) == first.map(\.key) && again.map(\.value) == first.map(\.value))
            // Copies within a body are the same event; everything else is another one.
            #expect(Set(identities).count == Set(try first.map { try Self.item($0) }).count, "\(good.file)")
        }
        // A status that comes again in another body, with other neighbours, is the same event.
        let item = #"{"id":"m1","status":"read","timestamp":"1790000001","recipient_id":"1555"}"#
        let alone = try Self.split(Self.cloud(#""statuses":[\#(item)]"#))
        let among = try Self.split(Self.cloud(#""statuses":[{"id":"m0","status":"read"},\#(item)]"#))
        #expect(try Self.identity(alone[0]) == Self.identity(among[1]))
    }

    private static func identity(_ record: Record) throws -> String {
        let event = try event(record)
        return "\(event.source) \(event.id) \(record.topic)"
    }

    private static func item(_ record: Record) throws -> String {
        let value = try value(record)
        let item = try #require(value["message"] ?? value["status"] ?? value["error"] ?? value["value"])
        return try "\(record.topic) \(event(record).source) \(value["field"]?.string ?? "") "
            + String(decoding: item.bytes, as: UTF8.self)
    }

    @Test func statusesDifferByWordTimeParticipantAndPayment() throws {
        let statuses = [
            #"{"id":"m1","status":"sent","timestamp":"1790000001","recipient_id":"1"}"#,
            #"{"id":"m2","status":"sent","timestamp":"1790000001","recipient_id":"1"}"#,
            #"{"id":"m1","status":"read","timestamp":"1790000001","recipient_id":"1"}"#,
            #"{"id":"m1","status":"sent","timestamp":"1790000002","recipient_id":"1"}"#,
            #"{"id":"m1","status":"sent","recipient_id":"1"}"#,
            #"{"id":"m1","status":"sent","timestamp":"1790000001","type":"payment"}"#,
            #"{"id":"m1","status":"sent","timestamp":"1790000001","recipient_type":"group","recipient_id":"g","recipient_participant_id":"1"}"#,
            #"{"id":"m1","status":"sent","timestamp":"1790000001","recipient_type":"group","recipient_id":"g","recipient_participant_id":"2"}"#,
            #"{"id":"m1","status":"sent","timestamp":"1790000001","recipient_type":"group","recipient_id":"g","x":1}"#,
            #"{"id":"m1","status":"sent","timestamp":"1790000001","recipient_type":"group","recipient_id":"g","x":2}"#,
        ]
        let records = try Self.split(Self.cloud(#""statuses":[\#(statuses.joined(separator: ","))]"#))
        #expect(try Set(records.map { try Self.event($0).id }).count == statuses.count)
    }

    /// Half surrogates are grammatical JSON and no text: whatever is made of them reads U+FFFD.
    @Test func idsThatAreNoTextAreToldApart() throws {
        func id(_ body: String) throws -> String { try Self.event(#require(Self.split(body).first)).id }
        func messageID(_ id: String) -> String { Self.cloud(#""messages":[{"id":"\#(id)","from":"1555"}]"#) }
        func statusID(_ id: String, _ word: String = "sent", _ member: String = "") -> String {
            Self.cloud(#""statuses":[{"id":"\#(id)","status":"\#(word)","timestamp":"1","recipient_id":"1555"\#(member)}]"#)
        }
        func group(_ participant: String) -> String {
            statusID("m", "sent", #","recipient_type":"group","recipient_participant_id":"\#(participant)""#)
        }
        func partner(_ id: String) -> String { #"{"event":"e","id":"\#(id)"}"# }
        let halves = [#"m\ud800"#, #"m\ud801"#, #"m\udc00"#, #"m\ud800\ud800"#, #"m\ufffd"#, #"m\ud83d\ude00"#, #"m\\ud800"#]
        for kind in [messageID, { statusID($0) }, { statusID("m", $0) }, group] {
            #expect(try Set(halves.map { try id(kind($0)) }).count == halves.count)
            #expect(try id(kind(#"m\ud800"#)) == id(kind(#"m\uD800"#)))
        }
        // These fall back to the whole body.
        #expect(try Set(halves.map { try id(partner($0)) }).count == halves.count)
        #expect(try id(partner(#"m\ud800"#)) == id(partner(#"m\ud800"#)))
        // What is text stays what it was.
        #expect(try id(messageID(#"m\ufffd"#)) == "m\u{FFFD}")
        #expect(try id(messageID(#"m\ud83d\ude00"#)) == "m😀")
    }

    @Test func theRecipientIsNoPartOfAStatusId() throws {
        let recipients = [#""recipient_id":"1555""#, #""recipient_user_id":"US.1""#, #""x":0"#]
        let ids = try recipients.map {
            try Self.event(Self.split(Self.status(#""timestamp":"1790000001",\#($0)"#))[0]).id
        }
        #expect(Set(ids).count == 1)
    }

    @Test func eventsWithoutIdTakeTheirsFromContentOrPlace() throws {
        let timed = Self.cloud(#""event":"X""#, phone: nil, field: "account_update", entry: #","time":1790000001"#)
        let later = timed.replacing("1790000001", with: "1790000002")
        let spaced = " " + timed
        let ids = try [timed, later, spaced].map { try Self.event(Self.split($0)[0]).id }
        // With a time the rest of the body does not count; without one it does.
        #expect(ids[0] == ids[2] && ids[0] != ids[1])
        let untimed = Self.cloud(#""errors":[{"code":1},{"code":1}]"#)
        let errors = try Self.split(untimed).map { try Self.event($0).id }
        #expect(Set(errors).count == 2)
        #expect(try Set(errors).isDisjoint(with: Self.split(" " + untimed).map { try Self.event($0).id }))
    }

    // MARK: Keys

    @Test(arguments: [
        (#""recipient_id":"1555""#, "7001:1555"), (#""recipient_id":1555"#, "7001:1555"),
        (#""recipient_user_id":"US.1""#, "7001:US.1"),
        (#""recipient_parent_user_id":"US.ENT.1""#, "7001:US.ENT.1"), (#""x":0"#, "7001:m1"),
        (#""recipient_id":"""#, "7001:m1"),
        (#""recipient_id":"g","recipient_type":"group""#, "7001:group:g"),
        (#""recipient_id":"1555","biz_opaque_callback_data":"mr1:c1:7001:US.9""#, "7001:US.9"),
        (#""recipient_id":"1555","biz_opaque_callback_data":"mr1:c1:shop:US.9""#, "shop:US.9"),
        (#""recipient_id":"1555","biz_opaque_callback_data":"mr1:c1:7002:US.9""#, "7001:1555"),
        (#""recipient_id":"1555","biz_opaque_callback_data":"mr1:c1:70011:US.9""#, "7001:1555"),
        (#""recipient_id":"1555","biz_opaque_callback_data":"other""#, "7001:1555"),
    ])
    func keysAStatusByTagThenRecipientThenMessage(_ members: String, _ key: String) throws {
        let record = try #require(Self.split(Self.status(members)).first)
        #expect(Self.key(record) == key)
        #expect(try Self.event(record).causationID == (key.hasSuffix("US.9") ? "c1" : nil))
    }

    @Test(arguments: [
        (#""from":"1555""#, "1555"), (#""from":" +1 (55)-5 ""#, "1555"), (#""from":1555"#, "1555"),
        (#""from":"US.1""#, "US.1"),
        (#""from":"+""#, "+"), (#""from":"  ","from_user_id":"US.1""#, "US.1"),
        (#""from":null,"from_parent_user_id":"P""#, "P"),
        (#""from":"1","group_id":"g""#, "group:g"), (#""from":"1","group_id":"""#, "1"),
        (#""from":-1,"from_user_id":"U""#, "U"),
        (#""from":1.5,"from_user_id":"U""#, "U"), (#""from":"a:b\u0000\n""#, "a:b\u{0}\n"),
    ])
    func keysAMessageByItsSender(_ members: String, _ user: String) throws {
        let record = try #require(Self.split(Self.message(members)).first)
        #expect(record.topic == Self.topics.messages && Self.key(record) == "7001:" + user)
    }

    // MARK: Contacts

    @Test(
        arguments: [
            // One contact, whatever its id, for one party.
            (#"[{"wa_id":"9","n":1}]"#, #"[{"id":"a","from":"1"},{"id":"b","from":"1"}]"#, [1, 1]),
            // One contact, two senders: only to whom it belongs.
            (#"[{"wa_id":"1","n":1}]"#, #"[{"id":"a","from":"1"},{"id":"b","from":"2"}]"#, [1, nil]),
            (
                #"[{"wa_id":"+1","n":1},{"wa_id":"2","n":2}]"#,
                #"[{"id":"a","from":"2"},{"id":"b","from":"+1"},{"id":"c","from":"3"}]"#, [2, 1, nil]
            ),
            (
                #"[{"user_id":"U","n":1},{"wa_id":"2","n":2}]"#,
                #"[{"id":"a","from_user_id":"U"},{"id":"b","from":"U"}]"#, [1, 1]
            ),
            (#"[null,"x",{"n":1}]"#, #"[{"id":"a","from":"1"}]"#, [1]), (#""x""#, #"[{"id":"a","from":"1"}]"#, [nil]),
        ] as [(String, String, [Int64?])])
    func givesEachMessageItsContact(_ contacts: String, _ messages: String, _ expected: [Int64?]) throws {
        let records = try Self.split(Self.cloud(#""messages":\#(messages),"contacts":\#(contacts)"#))
        #expect(try records.map { try Self.value($0)["contact"]?["n"]?.integer } == expected)
    }

    @Test func aContactOfTheMessageIsNotTheStatuss() throws {
        let records = try Self.split(
            Self.cloud(
                #""contacts":[{"wa_id":"1"}],"messages":[{"id":"a","from":"1"}],"statuses":[{"id":"b","status":"sent","recipient_id":"2"}]"#
            ))
        #expect(try records.map { try Self.value($0)["contact"]?.isNull } == [false, true])
    }

    // MARK: Tenants

    @Test func aBoundChannelSpeaksForItsNumberOnly() throws {
        let own = ChannelIdentity(name: "shop", hosting: .cloud, wabaID: "9001", phoneNumberID: "7001")
        let splitter = WebhookSplitter(channel: own, topics: Self.topics, isBound: true)
        func bound(_ body: String) throws -> [Record] {
            try splitter.split(Array(body.utf8), receivedAt: Self.arrival)
        }
        let inside = #""messages":[{"id":"a","from":"1"}],"statuses":[{"id":"b","status":"read","recipient_id":"1"}]"#
        #expect(try bound(Self.cloud(inside)).map(\.topic) == [Self.topics.messages, Self.topics.statuses])
        #expect(try bound(Self.cloud(inside, waba: "0")).count == 2)
        let foreign = try bound(Self.cloud(inside, phone: "7002"))
        #expect(foreign.map(\.topic) == [Self.topics.other])
        #expect(try Self.value(foreign[0])["reason"]?.string == "foreign_phone_number_id")
        #expect(try Self.value(foreign[0])["channel"]?["phone_number_id"]?.string == "7002")
        #expect(try Self.value(foreign[0])["value"]?["messages"]?.elements.count == 1)
        // Any other channel takes every number of its bodies.
        #expect(try Self.split(Self.cloud(inside, phone: "7002"), own).count == 2)
        // Events of another account are marked as well.
        let event = Self.cloud(#""event":"DISABLED""#, waba: "9002", phone: nil, field: "account_update")
        #expect(try Self.value(bound(event)[0])["reason"]?.string == "foreign_waba_id")
        let nameless = ChannelIdentity(name: "shop", hosting: .cloud, phoneNumberID: "7001")
        let unsure = try WebhookSplitter(channel: nameless, topics: Self.topics, isBound: true)
            .split(Array(event.utf8), receivedAt: Self.arrival)
        #expect(try Self.value(unsure[0])["reason"]?.string == "foreign_waba_id")
        #expect(try Self.value(Self.split(event)[0])["reason"] == nil)
    }

    @Test func withoutMetadataTheChannelNamesTheNumber() throws {
        let body = Self.cloud(#""messages":[{"id":"a","from":"1"}]"#, phone: nil)
        #expect(try Self.key(Self.split(body)[0]) == "shop:1")
        let own = ChannelIdentity(name: "shop", hosting: .cloud, phoneNumberID: "7001", displayPhoneNumber: "+1 555")
        let record = try Self.split(body, own)[0]
        #expect(Self.key(record) == "7001:1")
        #expect(try Self.value(record)["channel"]?["display_phone_number"]?.string == "+1 555")
    }

    // MARK: What cannot be read

    @Test func saysWhyItCouldNotRead() throws {
        func reasons(_ body: String) throws -> [String?] {
            try Self.split(body).map { try Self.value($0)["reason"]?.string }
        }
        #expect(try reasons("{}") == ["unknown_envelope"])
        #expect(try reasons(#"{"object":"whatsapp_business_account","entry":[]}"#) == ["nothing_inside"])
        #expect(try reasons(#"{"object":"whatsapp_business_account","entry":7}"#) == ["entry_unreadable"])
        #expect(
            try reasons(
                #"{"object":"whatsapp_business_account","entry":[7,{"changes":[8,{"field":"messages","value":9}]}]}"#)
                == ["entry_unreadable", "change_unreadable", "value_unreadable"])
        #expect(
            try reasons(Self.cloud(#""messages":[1],"statuses":[2],"errors":[3]"#)) == [
                "message_unreadable", "status_unreadable", "error_unreadable",
            ])
        #expect(try reasons(Self.cloud(#""messages":{},"statuses":[]"#)) == ["not_a_list"])
        #expect(try reasons(Self.cloud(#""messages":[]"#)) == ["nothing_inside"])
        #expect(try reasons(#"{"event":"e","id":"1"}"#) == [nil])
        // A kind of event that nobody knows yet, beside one that is known: neither is lost.
        #expect(try reasons(Self.cloud(#""errors":[{"code":1}],"polls":[{"id":"p"}]"#)) == [nil, "unknown_list"])
        #expect(try reasons(Self.cloud(#""polls":[{"id":"p"}]"#)) == ["nothing_inside"])
        #expect(try reasons(Self.cloud(#""errors":[{"code":1}],"polls":[],"version":{"of":[1]}"#)) == [nil])
        #expect(try reasons(#"{"errors":[{"code":1}],"polls":[7]}"#) == [nil, "unknown_list"])
        let change = #"{"field":"account_update","value":{},"more":[1]}"#
        let entry = #"{"changes":[\#(change)],"messaging":[{}]}"#
        #expect(
            try reasons(#"{"object":"whatsapp_business_account","entry":[\#(entry)],"news":[2]}"#)
                == [nil, "unknown_list", "unknown_list", "unknown_list"])
    }

    @Test func partnerEventsKeepTheirId() throws {
        let record = try #require(Self.split(#"{"id":"ev-1","event":"channel_created","data":{}}"#).first)
        let event = try Self.event(record)
        #expect(event.id == "ev-1" && event.subject == "channel_created")
        #expect(try Self.value(record)["field"]?.string == "channel_created")
    }

    @Test func oversizedIdsCannotSpread() throws {
        let long = String(repeating: "x", count: 2_000)
        #expect(try Self.split(Self.message(#""from":"\#(long)""#)).map(\.topic) == [Self.topics.other])
        let body = Self.cloud(#""messages":[{"id":"a","from":"1"},{"id":"b","from":"1"}]"#, waba: long, phone: long)
        #expect(try Self.split(body).allSatisfy { $0.byteCount < 1_500 })
        // 1,024 characters are an id, however many bytes they take.
        let id = String(repeating: "é", count: 1_024)
        #expect(
            try Self.split(Self.cloud(#""messages":[{"id":"\#(id)","from":"1"}]"#)).map(\.topic) == [
                Self.topics.messages
            ])
        #expect(
            try Self.split(Self.cloud(#""messages":[{"id":"\#(id)e","from":"1"}]"#)).map(\.topic) == [Self.topics.other]
        )
    }

    // MARK: Bounds

    @Test func whateverIsStoredCanBeReadAgain() throws {
        // As deep as a body may be; kept whole it lies deeper in its record.
        let body = #"{"a":"# + String(repeating: "[", count: 63) + String(repeating: "]", count: 63) + "}"
        let record = try #require(Self.split(body).first)
        #expect(try Self.value(record)["value"]?.bytes.elementsEqual(body.utf8) == true)
        let deeper = #"{"a":"# + String(repeating: "[", count: 64) + String(repeating: "]", count: 64) + "}"
        #expect(throws: SplitError.invalidJSON(JSONError(.tooDeep, at: 68))) { try Self.split(deeper) }
    }

    @Test func thousandsOfTinyItemsGiveABoundedNumberOfRecords() throws {
        let count = WebhookSplitter.maxItems - 1
        let items = "[" + String(repeating: "1,", count: count) + #"{"id":"m1","from":"1"}]"#
        let records = try Self.split(Self.cloud(#""messages":\#(items)"#))
        // Each of the first thousand, the one good message, and the body once for all the others.
        #expect(records.count == WebhookSplitter.maxUnreadable + 2)
        #expect(records.count { $0.topic == Self.topics.messages } == 1)
        #expect(try Self.value(#require(records.last))["reason"]?.string == "too_many_unreadable")
    }

    @Test func moreItemsThanAnyBodyHasAreKeptAsOne() throws {
        func body(_ count: Int) -> String {
            Self.cloud(
                #""messages":[\#(Array(repeating: #"{"id":"m","from":"1"}"#, count: count).joined(separator: ","))]"#)
        }
        let most = try Self.split(body(WebhookSplitter.maxItems))
        #expect(most.count == WebhookSplitter.maxItems)
        #expect(most.allSatisfy { $0.topic == Self.topics.messages })
        try expectWhole(body(WebhookSplitter.maxItems + 1))
        // Items that cannot be read are items, and so are those of many changes and entries.
        let numbers = { (count: Int) in "[" + Array(repeating: "1", count: count).joined(separator: ",") + "]" }
        try expectWhole(Self.cloud(#""messages":\#(numbers(1_000_000))"#))
        let third = WebhookSplitter.maxItems / 3 + 1
        try expectWhole(
            Self.cloud(#""messages":\#(numbers(third)),"statuses":\#(numbers(third)),"errors":\#(numbers(third))"#))
        let changes = Array(repeating: #"{"field":"x","value":{}}"#, count: WebhookSplitter.maxItems + 1)
        try expectWhole(
            #"{"object":"whatsapp_business_account","entry":[{"id":"1","changes":[\#(changes.joined(separator: ","))]}]}"#)
    }

    @Test func recordsThatWouldBeFarLargerThanTheirBodyAreKeptAsOne() throws {
        // The number's names, the contact and the id are repeated in each record.
        let name = String(repeating: "9", count: 128)
        let status = #"{"id":"\#(String(repeating: "i", count: 380))","status":"s","recipient_id":"1"}"#
        let list = Array(repeating: status, count: 9_000).joined(separator: ",")
        let contact = #"{"wa_id":"1","x":"\#(String(repeating: "c", count: 1_700))"}"#
        try expectWhole(Self.cloud(#""contacts":[\#(contact)],"statuses":[\#(list)]"#, waba: name, phone: name))
    }

    private func expectWhole(_ body: String, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let records = try Self.split(body)
        let record = try #require(records.count == 1 ? records.first : nil, sourceLocation: sourceLocation)
        #expect(record.topic == Self.topics.other, sourceLocation: sourceLocation)
        let value = try Self.value(record)
        #expect(value["reason"]?.string == "too_many_items", sourceLocation: sourceLocation)
        #expect(value["value"]?.bytes.elementsEqual(body.utf8) == true, sourceLocation: sourceLocation)
    }

    @Test func aLargeContactIsNotCopiedWithoutEnd() throws {
        let contact = #"{"wa_id":"1","x":"\#(String(repeating: "c", count: 1 << 20))"}"#
        let messages = (0..<40).map { #"{"id":"m\#($0)","from":"1"}"# }.joined(separator: ",")
        let records = try Self.split(Self.cloud(#""contacts":[\#(contact)],"messages":[\#(messages)]"#))
        #expect(records.count == 41)
        #expect(records.reduce(0) { $0 + $1.byteCount } < 20 << 20)
        let kept = try Self.value(#require(records.last))
        #expect(kept["reason"]?.string == "contacts_not_copied" && kept["value"]?.bytes.count == contact.utf8.count + 2)
    }
}
