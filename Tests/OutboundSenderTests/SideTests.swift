import D360
import EventLog
import Foundation
import Processing
import ProcessorTesting
import SendLimits
import Service
import Testing
import WhatsApp

@testable import outbound_sender

/// What the sender learns beside its commands.
@Suite struct SideTests {
    private static let channel = ChannelIdentity(
        name: "shop", hosting: .cloud, wabaID: "900", phoneNumberID: "700", displayPhoneNumber: "+1 555 000 9001")

    private func other(_ field: String, _ value: String, boundTo channel: ChannelIdentity? = nil) throws -> StoredRecord {
        let body = #"{"object":"whatsapp_business_account","entry":[{"id":"900","time":1790000000,"changes":["#
            + #"{"field":"\#(field)","value":\#(value)}]}]}"#
        let splitter = WebhookSplitter(channel: channel ?? Self.channel, topics: Sample.topics, isBound: channel != nil)
        let records = try splitter.split(Array(body.utf8), receivedAt: Sample.now)
        return StoredRecord(try #require(records.first), at: Sample.now)
    }

    private func scene(_ outcome: SendOutcome? = nil) throws -> (SenderScene, ScriptedSender) {
        let sender = ScriptedSender([try outcome ?? .accepted(try Sample.receipt())])
        return (SenderScene(sender), sender)
    }

    /// Lets the consent topic's records come round to the partition they are for.
    private func deliver(_ outputs: [Record], to scene: SenderScene) async throws {
        for output in outputs where output.topic == Sample.topics.consent {
            _ = try await scene.processor.handleSide(StoredRecord(output, at: scene.now), scene.context())
        }
    }

    @Test func preferenceStopsMarketingThatIsQueuedAndResumingAllowsIt() async throws {
        let (scene, sender) = try scene()
        func preference(_ word: String, _ time: Int) throws -> StoredRecord {
            try other(
                "user_preferences",
                #"{"metadata":{"phone_number_id":"700","display_phone_number":"1"},"user_preferences":[{"wa_id":"15550001111","#
                    + #""user_id":"US.1","category":"marketing_messages","value":"\#(word)","timestamp":\#(time)}]}"#)
        }
        let stop = try await scene.processor.handleSide(try preference("stop", 1_790_000_001), scene.context())
        #expect(stop.outputs.map(\.topic) == [Sample.topics.consent, Sample.topics.consent])
        #expect(Set(stop.outputs.map { String(decoding: $0.key ?? [], as: UTF8.self) }) == ["700:15550001111", "700:US.1"])
        #expect(Set(stop.outputs.map { $0.headers.string("ce_id") }).count == 2)
        try await deliver(stop.outputs, to: scene)
        let marketing = try Sample.command(purpose: .marketing)
        let suppressed = try await scene.results(marketing)
        #expect(suppressed.map(\.error?.errorClass) == ["suppressed"])
        #expect(try await scene.results(try Sample.command("c2", purpose: .utility)).map(\.outcome) == [.accepted])
        let resume = try await scene.processor.handleSide(try preference("resume", 1_790_000_002), scene.context())
        try await deliver(resume.outputs, to: scene)
        #expect(try await scene.results(try Sample.command("c3", purpose: .marketing)).map(\.outcome) == [.accepted])
        #expect(sender.sent == ["c2", "c3"])
    }

    @Test func configuredWordStopsMarketingAtOnceAndIsToldToReaders() async throws {
        let (scene, sender) = try scene()
        let message = StoredRecord.message(" STOP! ", from: "15550001111", at: Sample.now)
        let answer = try await scene.processor.handleSide(message, scene.context())
        #expect(answer.outputs.count == 1, "the topic has everybody who has stopped")
        #expect(try await scene.results(try Sample.command(purpose: .marketing)).map(\.outcome) == [.rejected])
        let resume = StoredRecord.message("start", from: "15550001111", id: "wamid.2", at: Sample.now + .seconds(5))
        _ = try await scene.processor.handleSide(resume, scene.context())
        #expect(try await scene.results(try Sample.command(purpose: .marketing)).map(\.outcome) == [.accepted])
        let talk = StoredRecord.message("please stop by tomorrow", from: "15550001111", at: Sample.now + .seconds(9))
        #expect(try await scene.processor.handleSide(talk, scene.context()).outputs.isEmpty)
        #expect(sender.sent == ["c1"])
    }

    @Test(arguments: [131_042, 131_048, 368]) func statusWithAHoldCodeHoldsItsNumber(code: Int) async throws {
        let (scene, _) = try scene()
        let command = try Sample.command()
        _ = try await scene.results(command)
        try await scene.status("failed", of: command, code: code)
        #expect(scene.processor.limiter.snapshot().heldNumbers == ["700"])
        let step = await scene.handle(try Sample.command("c2"))
        #expect(step.failure?.scope == .named("700"))
    }

    @Test func statusOfAnotherToolsMessageHoldsTheNumberToo() async throws {
        let (scene, _) = try scene()
        try await scene.status("failed", of: nil, code: 131_031)
        #expect(scene.processor.limiter.snapshot().heldNumbers == ["700"])
    }

    @Test func statusAboutItsMessageAloneOrOfLongAgoHoldsNothing() async throws {
        let (scene, _) = try scene()
        let command = try Sample.command()
        _ = try await scene.results(command)
        try await scene.status("failed", of: command, code: 131_026)
        try await scene.status("failed", of: command, code: 131_042, recorded: scene.now - .seconds(600))
        try await scene.status("delivered", of: command, code: 131_042)
        #expect(scene.processor.limiter.snapshot().heldNumbers.isEmpty)
        #expect(try await scene.results(try Sample.command("c2")).map(\.outcome) == [.accepted])
    }

    @Test func refusalByStatusStopsMarketingToo() async throws {
        let (scene, sender) = try scene()
        let command = try Sample.command(purpose: .marketing)
        _ = try await scene.results(command)
        let answer = try await scene.status("failed", of: command, code: 131_050)
        #expect(answer.outputs.map(\.topic) == [Sample.topics.consent])
        #expect(try await scene.results(try Sample.command("c2", purpose: .marketing)).map(\.outcome) == [.rejected])
        #expect(sender.sent == ["c1"])
    }

    @Test func throughputUpgradeReachesEveryInstance() async throws {
        let (scene, _) = try scene()
        scene.processor.channels.replace([
            SendingChannel(Self.channel, ChannelEndpoint(baseURL: "http://x", hosting: .cloud, apiKey: APIKey("k")))
        ])
        let event = try other(
            "phone_number_quality_update",
            #"{"display_phone_number":"15550009001","event":"THROUGHPUT_UPGRADE","current_limit":"TIER_UNLIMITED"}"#)
        let news = try await scene.processor.handleSide(event, scene.context()).outputs
        #expect(news.map(\.topic) == [Sample.topics.sendLimits])
        #expect(news.map(\.key) == [Array("number:700".utf8)])
        #expect(scene.processor.broadcastInputs.map(\.topic) == [Sample.topics.sendLimits])
        let limiter = SendLimiter(SendLimitsConfiguration(defaultRate: 80), clock: ContinuousClock())
        let instance = Sample.processor(ScriptedSender([]), limiter: limiter)
        try await instance.receiveBroadcast(StoredRecord(news[0], at: Sample.now))
        #expect(try #require(limiter.snapshot().rates["700"]) > 900)
        let downgrade = try other(
            "phone_number_quality_update", #"{"display_phone_number":"15550009001","event":"FLAGGED"}"#)
        #expect(try await scene.processor.handleSide(downgrade, scene.context()).outputs.isEmpty)
    }

    /// One tenant's webhook tells nothing of another tenant's numbers, templates and customers.
    @Test func whatAForeignWebhookSaysChangesNothing() async throws {
        let (scene, _) = try scene()
        func channel(_ name: String, _ number: String, _ account: String) -> SendingChannel {
            let identity = ChannelIdentity(
                name: name, hosting: .cloud, wabaID: account, phoneNumberID: number, displayPhoneNumber: "+1 555 \(number)")
            let endpoint = ChannelEndpoint(baseURL: "http://x", hosting: .cloud, apiKey: APIKey("k"))
            return SendingChannel(identity, endpoint, isBound: true)
        }
        scene.processor.channels.replace([
            channel("shop", "700", "900"), channel("sister", "701", "900"), channel("other", "702", "902"),
        ])
        func upgrade(_ number: String) throws -> StoredRecord {
            try other("phone_number_quality_update", #"{"display_phone_number":"1555\#(number)","event":"THROUGHPUT_UPGRADE"}"#)
        }
        func told(_ record: StoredRecord) async throws -> Int {
            try await scene.processor.handleSide(record, scene.context()).outputs.count
        }
        #expect(try await told(upgrade("700")) == 1)
        #expect(try await told(upgrade("701")) == 1)
        #expect(try await told(upgrade("702")) == 0)
        let stranger = ChannelIdentity(name: "other", hosting: .cloud, wabaID: "902", phoneNumberID: "702")
        let preference = #"{"user_preferences":[{"wa_id":"15550001111","category":"marketing_messages","value":"resume"}]}"#
        let paused = #"{"event":"PAUSED","message_template_name":"promo","message_template_language":"en"}"#
        for (field, value) in [("user_preferences", preference), ("message_template_status_update", paused)] {
            #expect(try await told(other(field, value)) == 1)
            #expect(try await told(other(field, value, boundTo: stranger)) == 0)
        }
    }

    @Test func pausedTemplateStopsAloneUntilItIsApproved() async throws {
        let (scene, sender) = try scene()
        scene.processor.limiter.setNumbers([SendingNumber(id: "700", account: "900", rate: 1_000)])
        func template(_ word: String) throws -> StoredRecord {
            try other(
                "message_template_status_update",
                #"{"event":"\#(word)","message_template_name":"promo","message_template_language":"en","reason":null}"#)
        }
        func hear(_ record: StoredRecord) async throws {
            for news in try await scene.processor.handleSide(record, scene.context()).outputs {
                let value = try #require(news.value)
                var news = try #require(TemplateNews(value: value))
                news.at = .now
                try await scene.processor.receiveBroadcast(
                    StoredRecord(news.record(topic: Sample.topics.sendLimits), at: Sample.now))
            }
        }
        func command(_ id: String, _ name: String) throws -> OutboundCommand {
            var command = try Sample.command(id)
            command.message = try JSON(
                parsing: Array(#"{"type":"template","template":{"name":"\#(name)","language":{"code":"en"}}}"#.utf8))
            return command
        }
        try await hear(try template("PAUSED"))
        let failure = try #require(await scene.handle(try command("c1", "promo")).failure)
        #expect(!failure.isTransient && failure.errorClass == "template-paused")
        #expect(scene.marked == 0)
        _ = try await scene.results(try command("c2", "news"))
        try await hear(try template("FLAGGED"))
        try await hear(try template("APPROVED"))
        _ = try await scene.results(try command("c3", "promo"))
        #expect(sender.sent == ["c2", "c3"])
    }

    @Test func inboundMessagesCountAgainstTheNumbersRate() async throws {
        let limiter = SendLimiter(
            SendLimitsConfiguration(defaultRate: 1, maxWait: .milliseconds(1)), clock: ContinuousClock())
        let processor = Sample.processor(ScriptedSender([.accepted(try Sample.receipt())]), limiter: limiter)
        let scene = SenderScene(processor)
        try await Task.sleep(for: .milliseconds(1_100))
        _ = try await processor.handleSide(StoredRecord.message("hello"), scene.context())
        let failure = try #require(await scene.handle(try Sample.command()).failure)
        #expect(failure.errorClass == "rate" && failure.effect == .none)
    }

    @Test func whatIsNoEventOfOursIsPassedOver() async throws {
        let (scene, _) = try scene()
        var broken = try other("account_alerts", #"{"anything":true}"#)
        #expect(try await scene.processor.handleSide(broken, scene.context()).outputs.isEmpty)
        broken.value = Array("no json".utf8)
        #expect(try await scene.processor.handleSide(broken, scene.context()).outputs.isEmpty)
        broken.key = nil
        #expect(try await scene.processor.handleSide(broken, scene.context()).outputs.isEmpty)
        var status = try Sample.status("failed", of: try Sample.command(), at: Sample.now)
        status.value = Array(#"{"status":"failed""#.utf8)
        #expect(try await scene.processor.handleSide(status, scene.context()).outputs.isEmpty)
    }
}

/// Channels and keys as the program loads them.
@Suite struct SendingChannelsTests {
    private let folder = FileManager.default.temporaryDirectory.appendingPathComponent("keys-\(UUID().uuidString)").path
    private let yaml = """
        channels:
          shop:
            phone_number_id: "700"
            webhook: { basic: { user: u, password: p } }
            api_key: from-the-file
            rate: 20
            unknown: dead-letter
          desk:
            phone_number_id: "701"
            webhook: { basic: { user: u, password: p } }
          silent:
            phone_number_id: "702"
            webhook: { basic: { user: u, password: p } }
        """

    private func load(_ keys: [String: String]) throws -> [SendingChannel] { try sending(keys).channels }

    private func sending(_ keys: [String: String], directory: String? = nil) throws -> Channels.Sending {
        try FileManager.default.createDirectory(atPath: folder + "/keys", withIntermediateDirectories: true)
        try yaml.write(toFile: folder + "/channels.yaml", atomically: true, encoding: .utf8)
        if let directory {
            try FileManager.default.createDirectory(atPath: folder + "/keys/" + directory, withIntermediateDirectories: true)
        }
        for (name, key) in keys {
            try key.write(toFile: folder + "/keys/\(name)", atomically: true, encoding: .utf8)
        }
        defer { try? FileManager.default.removeItem(atPath: folder) }
        var files = FileContents()
        return try Channels.sending(
            environment: ["MILLRACE_CHANNELS": folder + "/channels.yaml"], keyDirectory: folder + "/keys", files: &files)
    }

    @Test func keysOfTheDirectoryGoBeforeThoseOfTheFile() throws {
        let channels = try load(["desk": "key-2\n", "shop": "key-1"])
        #expect(channels.map(\.identity.name) == ["desk", "shop"])
        #expect(channels.map(\.endpoint.apiKey) == [APIKey("key-2"), APIKey("key-1")])
        #expect(channels.map(\.unknown) == [.resend, .deadLetter])
        #expect(channels.map { $0.sendingNumber(defaultRate: 80).rate } == [80, 20])
        #expect(try load([:]).map(\.endpoint.apiKey) == [APIKey("from-the-file")])
    }

    /// What an editor or an operator leaves behind stops nobody.
    @Test func strayFilesAreNamedAndTheOthersGoOn() throws {
        let sending = try sending(["shop": "key-1", "shop~": "old key", ".shop.swp": "\u{0}\u{1}"], directory: "backup")
        #expect(sending.channels.map(\.endpoint.apiKey) == [APIKey("key-1")])
        #expect(sending.strays == ["backup", "shop~"])
    }

    @Test func replacedKeysCountAtOnceAndTheirNumbersAreNamed() {
        func channel(_ name: String, _ number: String?, _ key: String) -> SendingChannel {
            SendingChannel(
                ChannelIdentity(name: name, hosting: .cloud, phoneNumberID: number),
                ChannelEndpoint(baseURL: "http://x", hosting: .cloud, apiKey: APIKey(key)))
        }
        let directory = ChannelDirectory([channel("a", "1", "k"), channel("b", "2", "k")])
        #expect(directory.replace([channel("a", "1", "k"), channel("b", "2", "new"), channel("c", nil, "k")]) == ["2", "c"])
        #expect(directory[ChannelIdentity(name: "b", hosting: .cloud, phoneNumberID: "2")]?.endpoint.apiKey == APIKey("new"))
        #expect(directory.replace([channel("a", "1", "k")]).isEmpty)
        #expect(directory[ChannelIdentity(name: "b", hosting: .cloud, phoneNumberID: "2")] == nil)
    }
}
