import EventLog
import Testing
import WhatsApp

@Suite struct OutboundCommandTests {
    static let channel = ChannelIdentity(name: "shop", hosting: .cloud, wabaID: "900", phoneNumberID: "700")

    static func command(
        message: String = #"{"type":"text","text":{"body":"Hi"}}"#,
        recipient: OutboundCommand.Recipient = .to("15550001111"), conversationKey: String = "700:15550001111"
    ) throws -> OutboundCommand {
        OutboundCommand(
            channel: channel, id: "c1", purpose: .utility, recipient: recipient, conversationKey: conversationKey,
            message: try JSON(parsing: Array(message.utf8)), expiresAt: Timestamp(milliseconds: 1_790_000_600_123),
            windowEndsAt: Timestamp(seconds: 1_790_080_000), opaque: "order 17",
            requestedAt: Timestamp(milliseconds: 1_790_000_000_005), correlationID: "root", causationID: "cause",
            traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    }

    static func stored(_ record: Record) -> StoredRecord {
        StoredRecord(
            source: TopicPartition(record.topic, 0), offset: 0, key: record.key, value: record.value,
            headers: record.headers, timestamp: Timestamp(seconds: 1))
    }

    @Test func comesBackFromItsRecord() throws {
        let command = try Self.command()
        let record = command.record(topic: "out")
        let read = try OutboundCommand(Self.stored(record))
        #expect(read.record(topic: "out") == record)
        #expect(read.channel == command.channel)
        #expect(read.recipient == command.recipient)
        #expect(read.expiresAt == command.expiresAt)
        #expect(read.windowEndsAt == command.windowEndsAt)
        #expect(read.opaque == "order 17")
        #expect(read.requestedAt == command.requestedAt)
        #expect(read.correlationID == "root")
        #expect(read.causationID == "cause")
        #expect(read.traceparent == command.traceparent)
        #expect(record.key == Array("700:15550001111".utf8))
        let event = try CloudEvent(record.headers)
        #expect(event.id == "c1")
        #expect(event.type == "io.360dialog.whatsapp.outbound.requested.v1")
        #expect(event.source == "/360dialog/900/700")
    }

    /// Everything the API takes for sending: the pieces of a body make a command, and the command makes the call.
    @Test(arguments: [Hosting.cloud, .onPremise]) func everySampleSurvivesBeingACommand(hosting: Hosting) throws {
        let folder = hosting == .cloud ? "cloud" : "onprem"
        // Other calls of the API: setting webhooks, and the contact check.
        let others: Set = ["config-webhook-number.json", "config-webhook-waba.json", "check-contacts.json"]
        let files = OutboundFixtures.files(folder).filter { !others.contains($0) }
        for file in files {
            let sample = try OutboundFixtures.bytes(folder, file)
            let command = try Self.command(fromSample: sample, isMarketing: file.hasPrefix("marketing"))
            let call = try OutboundCommand(Self.stored(command.record(topic: "out"))).call(for: hosting)
            let tag = "biz_opaque_callback_data"
            #expect(
                try OutboundFixtures.canonical(call.body, without: tag)
                    == OutboundFixtures.canonical(sample, without: tag), "\(folder)/\(file)")
            let expectedTag = hosting == .cloud && !command.isMark ? "mr1:c1:\(command.conversationKey)" : nil
            #expect(try JSON(parsing: call.body)[tag]?.string == expectedTag, "\(folder)/\(file)")
            let mark = hosting == .cloud ? "POST /messages" : "PUT /v1/messages/wamid.c2FtcGxl"
            let message = hosting == .cloud ? "POST /messages" : "POST /v1/messages"
            let expected =
                command.isMark ? mark : file.hasPrefix("marketing") ? "POST /marketing_messages" : message
            #expect("\(call.method) \(call.path)" == expected, "\(folder)/\(file)")
        }
        #expect(files.count == (hosting == .cloud ? 51 : 14))
    }

    /// A command whose parts are those of a body of the API.
    static func command(fromSample sample: [UInt8], isMarketing: Bool = false) throws -> OutboundCommand {
        let json = try JSON(parsing: sample)
        let ours = ["messaging_product", "to", "recipient", "biz_opaque_callback_data", "recipient_type"]
        let message = JSONWriter.object { message in
            json.forEachMember { name, value in
                if !ours.contains(name) { message.rawMember(name, value.bytes) }
            }
            // On-premise the path names the message to mark.
            if json["status"] != nil, json["message_id"] == nil { message.member("message_id", "wamid.c2FtcGxl") }
        }
        let user = json["to"]?.string ?? ""
        var command = try Self.command(
            message: String(decoding: message, as: UTF8.self),
            recipient: json["recipient"]?.string.map { .userID($0) } ?? .to(user.isEmpty ? "15550001111" : user),
            conversationKey: json["recipient_type"]?.string == "group" ? "700:group:\(user)" : "700:\(user).")
        if isMarketing {
            command.purpose = .marketing
            command.route = .marketingMessages
        }
        return command
    }

    @Test func routeToMarketingMessagesNeedsATemplateAPurposeAndALeave() throws {
        let template = #"{"type":"template","template":{"name":"promo"}}"#
        var command = try Self.command(message: template)
        command.purpose = .marketing
        #expect(command.call(for: .cloud).path == "/messages", "not asked for")
        command.route = .marketingMessages
        #expect(command.call(for: .cloud).path == "/marketing_messages")
        #expect(command.call(for: .cloud, marketingMessages: false).path == "/messages")
        #expect(command.call(for: .onPremise).path == "/v1/messages")
        command.purpose = .utility
        #expect(command.call(for: .cloud).path == "/messages")
    }

    @Test func fallbackComesBackAndReplacesTheMessageUnderTheSameID() throws {
        var command = try Self.command()
        #expect(command.asFallback == nil)
        command.fallback = try JSON(parsing: Array(#"{"type":"template","template":{"name":"t"}}"#.utf8))
        let read = try OutboundCommand(Self.stored(command.record(topic: "out")))
        let fallback = try #require(read.asFallback)
        #expect(fallback.messageType == "template")
        #expect(!fallback.needsOpenWindow && read.needsOpenWindow)
        #expect(fallback.id == command.id && fallback.tag == command.tag)
        #expect(fallback.asFallback == nil)
    }

    @Test func contentIsTheSameInAnyWritingAndDiffersInEveryPart() throws {
        let first = try Self.command(message: #"{"type":"text","text":{"body":"é/","preview_url":true}}"#)
        let again = try Self.command(
            message: #"{ "text": {"preview_url":true, "body":"\u00e9\/"}, "type":"text" }"#)
        #expect(first.contentHash == again.contentHash)
        var others = [first, first, first, first, first, first]
        others[0].message = try JSON(parsing: Array(#"{"type":"text","text":{"body":"e/","preview_url":true}}"#.utf8))
        others[1].purpose = .authentication
        others[2].recipient = .to("15550002222")
        others[3].opaque = nil
        others[4].route = .marketingMessages
        others[5].fallback = first.message
        #expect(Set((others + [first]).map(\.contentHash)).count == 7)
        var later = first
        later.expiresAt = later.expiresAt + .seconds(1)
        #expect(later.contentHash == first.contentHash)
    }

    @Test func callersIDsAreApartByPrincipalChannelAndKey() {
        let ids = [("a", "c", "k"), ("b", "c", "k"), ("a", "d", "k"), ("a", "c", "l"), ("ac", "", "k")].map {
            OutboundCommand.id(principal: $0.0, channel: $0.1, key: $0.2)
        }
        #expect(Set(ids).count == 5)
        #expect(ids[0] == OutboundCommand.id(principal: "a", channel: "c", key: "k"))
    }

    @Test func ownRecipientTypeOfAMessageStands() throws {
        let command = try Self.command(message: #"{"recipient_type":"group","type":"text","text":{"body":"x"}}"#)
        let body = String(decoding: command.call(for: .cloud).body, as: UTF8.self)
        #expect(body.contains(#""recipient_type":"group""#))
        #expect(!body.contains("individual"))
    }

    @Test func idDependsOnEveryPartAndNothingElse() {
        func id(_ processor: String, _ source: String, _ cause: String, _ ordinal: Int) -> String {
            OutboundCommand.id(processor: processor, source: source, causeID: cause, ordinal: ordinal)
        }
        let first = id("p", "/s", "c", 0)
        #expect(first == id("p", "/s", "c", 0))
        let others = [id("q", "/s", "c", 0), id("p", "/t", "c", 0), id("p", "/s", "d", 0), id("p", "/s", "c", 1)]
        #expect(Set(others + [first]).count == 5)
        #expect(!first.contains(":"), "a colon would not fit the tag")
    }

    /// COMMAND stands for members that are all right; of a repeated member the last counts.
    @Test(arguments: [
        (#"{"command":{"#, "value"), (#"[]"#, "command"), (#"{"channel":SHOP}"#, "command"),
        (#"{"command":{"id":"c1","purpose":"reply","to":"15550001111"}}"#, "channel"),
        (#"{"channel":{"name":"n","hosting":"15550001111"},"command":{COMMAND}}"#, "channel.hosting"),
        (#"{"channel":{"hosting":"cloud"},"command":{COMMAND}}"#, "channel.name"),
        (#"{"purpose":"reply"}"#, "command.id"), (#"{"id":"c2","purpose":"reply"}"#, "command.id"),
        (#"{COMMAND,"purpose":"15550001111"}"#, "command.purpose"),
        (#"{"id":"c1","purpose":"reply"}"#, "one of command.to and command.recipient"),
        (#"{COMMAND,"recipient":"U.1"}"#, "one of command.to and command.recipient"),
        (#"{COMMAND,"to":15550001111}"#, "command.to"), (#"{COMMAND,"message":null}"#, "command.message"),
        (#"{COMMAND,"message":{"text":{}}}"#, "command.message.type"),
        (#"{COMMAND,"message":{"type":"text"}}"#, "the member of command.message that its type names"),
        (#"{COMMAND,"message":{"type":"text","text":{},"to":"15550001111"}}"#, "command.message without to"),
        (#"{COMMAND,"expires_at":null}"#, "command.expires_at"),
        (#"{COMMAND,"expires_at":"15550001111"}"#, "command.expires_at"), (#"{COMMAND,"opaque":7}"#, "command.opaque"),
    ])
    func malformedCommandNamesTheMember(text: String, member: String) throws {
        let isWhole = text.hasPrefix("[") || text.hasPrefix(#"{"c"#)
        let value = (isWhole ? text : #"{"channel":SHOP,"command":\#(text)}"#)
            .replacing("SHOP", with: #"{"name":"shop","hosting":"cloud"}"#)
            .replacing(
                "COMMAND",
                with: #""id":"c1","purpose":"reply","to":"1","message":{"type":"text","text":{}},"expires_at":1"#)
        var record = Self.stored(try Self.command().record(topic: "out"))
        record.value = Array(value.utf8)
        let error = #expect(throws: MalformedRecord.self) { _ = try OutboundCommand(record) }
        #expect(error?.what == member)
        #expect(error?.description.contains("15550001111") == false)
    }

    @Test func recordWithoutKeyValueOrTypeIsMalformed() throws {
        let good = Self.stored(try Self.command().record(topic: "out"))
        var record = good
        record.key = nil
        #expect(throws: MalformedRecord("key")) { _ = try OutboundCommand(record) }
        record = good
        record.key = [0xff]
        #expect(throws: MalformedRecord("key")) { _ = try OutboundCommand(record) }
        record = good
        record.value = nil
        #expect(throws: MalformedRecord("value")) { _ = try OutboundCommand(record) }
        record = good
        record.headers.append("ce_type", "io.360dialog.whatsapp.other.received.v1")
        #expect(throws: MalformedRecord("ce_type")) { _ = try OutboundCommand(record) }
    }
}
