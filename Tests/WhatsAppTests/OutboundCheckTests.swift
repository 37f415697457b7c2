import EventLog
import Testing
import WhatsApp

@Suite struct OutboundCheckTests {
    private func fault(
        _ message: String, hosting: Hosting = .cloud, edit: (inout OutboundCommand) throws -> Void = { _ in }
    ) throws -> MessageFault? {
        var command = try OutboundCommandTests.command(message: message)
        try edit(&command)
        do throws(MessageFault) { try command.check(for: hosting) } catch { return error }
        return nil
    }

    @Test(arguments: [Hosting.cloud, .onPremise]) func everySampleIsGood(hosting: Hosting) throws {
        let folder = hosting == .cloud ? "cloud" : "onprem"
        let others: Set = ["config-webhook-number.json", "config-webhook-waba.json", "check-contacts.json"]
        for file in OutboundFixtures.files(folder) where !others.contains(file) {
            let command = try OutboundCommandTests.command(fromSample: try OutboundFixtures.bytes(folder, file))
            #expect(throws: Never.self, "\(folder)/\(file)") { try command.check(for: hosting) }
        }
    }

    /// N stands for a text one character too long, and SECRET for what no fault may show.
    @Test(arguments: [
        (#"{}"#, 0, "message.type", "is required"), (#"{"type":7}"#, 0, "message.type", "must be text and not empty"),
        (#"{"type":"SECRET"}"#, 0, "message", "must have the member that its type names"),
        (#"{"type":"text","text":null}"#, 0, "message", "must have the member that its type names"),
        (#"{"type":"text","text":{"body":"x"},"to":"SECRET"}"#, 0, "message.to", "must not be there"),
        (#"{"status":"read","message_id":"w","recipient":"SECRET"}"#, 0, "message.recipient", "must not be there"),
        (#"{"status":"read"}"#, 0, "message.message_id", "is required"),
        (#"{"type":"text","text":"SECRET"}"#, 0, "message.text", "must be an object"),
        (#"{"type":"text","text":{}}"#, 0, "message.text.body", "is required"),
        (#"{"type":"text","text":{"body":null}}"#, 0, "message.text.body", "is required"),
        (#"{"type":"text","text":{"body":""}}"#, 0, "message.text.body", "must be text of 1 to 4096 characters"),
        (#"{"type":"text","text":{"body":7}}"#, 0, "message.text.body", "must be text of 1 to 4096 characters"),
        (#"{"type":"text","text":{"body":"N"}}"#, 4_097, "message.text.body", "must be text of 1 to 4096 characters"),
        (#"{"type":"text","text":{"body":"x","preview_url":"yes"}}"#, 0, "message.text.preview_url",
         "must be true or false"),
        (#"{"type":"text","context":{},"text":{"body":"x"}}"#, 0, "message.context.message_id", "is required"),
        (#"{"type":"image","image":{"caption":"SECRET"}}"#, 0, "message.image", "needs one of id, link"),
        (#"{"type":"image","image":{"id":"1","caption":"N"}}"#, 1_025, "message.image.caption",
         "must be text of 0 to 1024 characters"),
        (#"{"type":"audio","audio":{"id":"1","caption":"SECRET"}}"#, 0, "message.audio.caption", "must not be there"),
        (#"{"type":"sticker","sticker":{}}"#, 0, "message.sticker", "needs one of id, link"),
        (#"{"type":"location","location":{"latitude":1}}"#, 0, "message.location.longitude", "is required"),
        (#"{"type":"location","location":{"latitude":"SECRET","longitude":2}}"#, 0, "message.location.latitude",
         "must be a number"),
        (#"{"type":"location","location":{"latitude":91.5,"longitude":2}}"#, 0, "message.location.latitude",
         "must be from -90 to 90"),
        (#"{"type":"location","location":{"latitude":"-90.0","longitude":"180.01"}}"#, 0, "message.location.longitude",
         "must be from -180 to 180"),
        (#"{"type":"location","location":{"latitude":"nan","longitude":1}}"#, 0, "message.location.latitude",
         "must be from -90 to 90"),
        (#"{"type":"image","image":{"id":""}}"#, 0, "message.image.id", "must be text and not empty"),
        (#"{"type":"video","video":{"link":17}}"#, 0, "message.video.link", "must be text and not empty"),
        (#"{"type":"interactive","interactive":{"type":"hologram"}}"#, 0, "message.interactive.type",
         "must be one of address_message, button, call_permission_request, catalog_message, cta_url, flow, list, "
            + "location_request_message, product, product_list, request_contact_info"),
        (#"{"type":"interactive","interactive":{"type":"cta_url","header":{"type":"gif","gif":{"id":"1"}},"action":{}}}"#, 0,
         "message.interactive.header.type", "must be one of document, image, text, video"),
        (#"{"type":"interactive","interactive":{"type":"button","header":{"type":"gif","gif":{"id":"1"}},"body":{"text":"b"}}}"#,
         0, "message.interactive.header.type", "must be one of document, image, text, video"),
        (#"{"type":"interactive","interactive":{"type":"product_list","header":{"type":"gif"}}}"#, 0,
         "message.interactive.header.type", "must be text"),
        (#"{"type":"interactive","interactive":{"type":"cta_url","footer":{"text":"N"},"action":{"parameters":{"display_text":"d","url":"u"}}}}"#,
         61, "message.interactive.footer.text", "must be text of 1 to 60 characters"),
        (#"{"type":"interactive","interactive":{"type":"catalog_message","footer":{"text":"N"}}}"#, 61,
         "message.interactive.footer.text", "must be text of 1 to 60 characters"),
        (#"{"type":"interactive","interactive":{"type":"flow","action":{"parameters":{"flow_cta":"Go 🚀"}}}}"#, 0,
         "message.interactive.action.parameters.flow_cta", "must not hold emoji"),
        (#"{"status":"read","message_id":"w","typing_indicator":{"type":"dance"}}"#, 0, "message.typing_indicator.type",
         "must be text"),
        (#"{"type":"contacts","contacts":[]}"#, 0, "message.contacts", "must have 1 or more elements"),
        (#"{"type":"contacts","contacts":[{"name":{"formatted_name":"SECRET"}}]}"#, 0, "message.contacts[0].name",
         "needs one of first_name, last_name, middle_name, prefix, suffix"),
        (#"{"type":"reaction","reaction":{"message_id":"1"}}"#, 0, "message.reaction.emoji", "is required"),
        (#"{"type":"reaction","context":{"message_id":"1"},"reaction":{"message_id":"1","emoji":""}}"#, 0,
         "message.context", "must not be there"),
        (#"{"type":"interactive","interactive":{}}"#, 0, "message.interactive.type", "is required"),
        (#"{"type":"interactive","interactive":{"type":"cta_url","action":{"parameters":{"display_text":"N","url":"u"}}}}"#,
         21, "message.interactive.action.parameters.display_text", "must be text of 1 to 20 characters"),
        (#"{"type":"interactive","interactive":{"type":"flow","action":{"parameters":{"flow_cta":"N"}}}}"#, 21,
         "message.interactive.action.parameters.flow_cta", "must be text of 1 to 20 characters"),
        (#"{"type":"interactive","interactive":{"type":"product","header":{"type":"text"}}}"#, 0,
         "message.interactive.header", "must not be there"),
        (#"{"type":"interactive","interactive":{"type":"product_list"}}"#, 0, "message.interactive.header",
         "is required"),
        (#"{"type":"template","template":{"name":"t"}}"#, 0, "message.template.language", "is required"),
        (#"{"type":"template","template":{"name":"t","language":{}}}"#, 0, "message.template.language.code",
         "is required"),
        (#"{"status":"read","message_id":"w","typing_indicator":{}}"#, 0, "message.typing_indicator.type",
         "is required"),
    ])
    func brokenRuleIsNamedWithoutTheValue(message: String, length: Int, path: String, rule: String) throws {
        let text = message.replacing("\"N\"", with: "\"" + String(repeating: "é", count: length) + "\"")
        let found = try fault(text)
        #expect(found == MessageFault(path, rule))
        #expect(found?.description.contains("SECRET") == false)
        guard length > 0 else { return }
        let good = message.replacing("\"N\"", with: "\"" + String(repeating: "é", count: length - 1) + "\"")
        #expect(try fault(good) == nil)
    }

    private func buttons(_ replies: [(id: String, title: String)], body: String = "b", more: String = "") -> String {
        let list = replies.map { #"{"type":"reply","reply":{"id":"\#($0.id)","title":"\#($0.title)"}}"# }
        return #"{"type":"interactive","interactive":{"type":"button","body":{"text":"\#(body)"}\#(more),"#
            + #""action":{"buttons":[\#(list.joined(separator: ","))]}}}"#
    }

    @Test func buttonsAreCountedMeasuredAndDifferent() throws {
        let path = "message.interactive.action.buttons"
        let three = (1...3).map { (id: "\($0)", title: "t\($0)") }
        #expect(try fault(buttons(three)) == nil)
        #expect(try fault(buttons([])) == MessageFault(path, "must have 1 to 3 elements"))
        #expect(try fault(buttons(three + [("4", "t4")]))?.path == path)
        #expect(try fault(buttons([("1", "a"), ("1", "b")]))?.path == "\(path)[1].reply.id")
        #expect(try fault(buttons([("1", "a"), ("2", "a")]))?.path == "\(path)[1].reply.title")
        let long = String(repeating: "x", count: 257)
        #expect(try fault(buttons([("1", "a"), (long, "b")]))?.path == "\(path)[1].reply.id")
        #expect(try fault(buttons([("1", String(long.prefix(21)))]))?.path == "\(path)[0].reply.title")
        #expect(try fault(buttons(three, body: String(repeating: "x", count: 1_025)))?.path == "message.interactive.body.text")
        let footer = #","footer":{"text":"\#(long.prefix(61))"}"#
        #expect(try fault(buttons(three, more: footer))?.path == "message.interactive.footer.text")
        let header = #","header":{"type":"text","text":"\#(long.prefix(61))"}"#
        #expect(try fault(buttons(three, more: header))?.path == "message.interactive.header.text")
        #expect(try fault(buttons(three, more: #","header":{"type":"video","video":{}}"#))?.path
            == "message.interactive.header.video")
    }

    private func list(_ rows: [Int], titled: Bool = true, row: String = #"{"id":"i","title":"t"}"#, more: String = "") -> String {
        let sections = rows.map { count in
            #"{\#(titled ? #""title":"s","# : "")"rows":[\#(Array(repeating: row, count: count).joined(separator: ","))]}"#
        }
        return #"{"type":"interactive","interactive":{"type":"list","body":{"text":"b"}\#(more),"#
            + #""action":{"button":"go","sections":[\#(sections.joined(separator: ","))]}}}"#
    }

    @Test func listsHoldTenRowsInAllAndTextHeadersOnly() throws {
        let path = "message.interactive.action.sections"
        #expect(try fault(list([4, 6])) == nil)
        #expect(try fault(list([5, 6])) == MessageFault(path, "must have 1 to 10 rows in all"))
        #expect(try fault(list([]))?.path == path)
        #expect(try fault(list([1], titled: false)) == nil)
        #expect(try fault(list([1, 1], titled: false))?.path == "\(path)[0].title")
        #expect(try fault(list([1], row: #"{"id":"i"}"#))?.path == "\(path)[0].rows[0].title")
        let long = String(repeating: "x", count: 73)
        #expect(try fault(list([1], row: #"{"id":"i","title":"t","description":"\#(long)"}"#))?.path
            == "\(path)[0].rows[0].description")
        #expect(try fault(list([1], row: #"{"id":"i","title":"\#(long.prefix(25))"}"#))?.path == "\(path)[0].rows[0].title")
        #expect(try fault(list([1], more: #","header":{"type":"image","image":{"id":"1"}}"#))
            == MessageFault("message.interactive.header.type", "must be text"))
    }

    private func template(_ components: String) -> String {
        #"{"type":"template","template":{"name":"t","language":{"code":"de"},"components":[\#(components)]}}"#
    }

    @Test func templateParametersAreMeasuredByTheirPlace() throws {
        func part(_ type: String, _ count: Int) -> String {
            #"{"type":"\#(type)","parameters":[{"type":"text","text":"\#(String(repeating: "x", count: count))"}]}"#
        }
        let path = "message.template.components"
        #expect(try fault(template(part("body", 32_768))) == nil)
        #expect(try fault(template(part("body", 32_769)))?.path == "\(path)[0].parameters[0].text")
        #expect(try fault(template(part("header", 60) + "," + part("BODY", 1_024))) == nil)
        #expect(try fault(template(part("header", 60) + "," + part("BODY", 1_025)))?.path == "\(path)[1].parameters[0].text")
        #expect(try fault(template(part("header", 61)))?.path == "\(path)[0].parameters[0].text")
        let coupon = #"{"type":"button","parameters":[{"type":"coupon_code","coupon_code":"1234567890123456"}]}"#
        #expect(try fault(template(coupon))?.path == "\(path)[0].parameters[0].coupon_code")
        func carousel(_ cards: Int) -> String {
            let card = #"{"components":[\#(part("body", 10))]}"#
            return #"{"type":"carousel","cards":[\#(Array(repeating: card, count: cards).joined(separator: ","))]}"#
        }
        #expect(try fault(template(carousel(2))) == nil)
        #expect(try fault(template(carousel(1)))?.path == "\(path)[0].cards")
        #expect(try fault(template(carousel(11))) == MessageFault("\(path)[0].cards", "must have 2 to 10 elements"))
    }

    @Test(arguments: [
        #"{"type":"hologram","hologram":17}"#,
        #"{"type":"text","text":{"body":"x","sparkle":[]},"aside":{}}"#,
        #"{"type":"template","template":{"name":"t","language":{"code":"de"},"components":[{"type":"orbit"}]}}"#,
    ])
    func whatIsNotKnownPasses(message: String) throws { #expect(try fault(message) == nil) }

    @Test func onPremiseHasItsOwnDemands() throws {
        let template = #"{"type":"template","template":{"name":"t","language":{"code":"de"}}}"#
        #expect(try fault(template, hosting: .onPremise)?.path == "message.template.namespace")
        let typing = #"{"status":"read","message_id":"w","typing_indicator":{"type":"text"}}"#
        #expect(try fault(typing) == nil)
        #expect(try fault(typing, hosting: .onPremise)?.path == "message.typing_indicator")
        let text = #"{"type":"text","text":{"body":"x"}}"#
        #expect(try fault(text, hosting: .onPremise) { $0.recipient = .userID("US.1") }?.path == "recipient")
    }

    @Test func oneTimeCodesNeedAPhoneNumber() throws {
        let template = #"{"type":"template","template":{"name":"t","language":{"code":"de"}}}"#
        let fault = try fault(template) {
            $0.purpose = .authentication
            $0.recipient = .userID("US.1")
        }
        #expect(fault?.path == "recipient")
    }

    @Test func fallbackIsCheckedLikeAMessage() throws {
        let fault = try fault(#"{"type":"text","text":{"body":"x"}}"#) {
            $0.fallback = try JSON(parsing: Array(#"{"type":"template","template":{"name":"t"}}"#.utf8))
        }
        #expect(fault == MessageFault("fallback.template.language", "is required"))
    }

    @Test func fallbackMustBeATemplateAndTheRouteMustFit() throws {
        let text = #"{"type":"text","text":{"body":"x"}}"#
        let template = #"{"type":"template","template":{"name":"t","language":{"code":"de"}}}"#
        #expect(try fault(text) { $0.fallback = $0.message } == MessageFault("fallback.type", "must be template"))
        func routed(_ message: String, _ purpose: OutboundCommand.Purpose) throws -> String? {
            try fault(message) {
                $0.route = .marketingMessages
                $0.purpose = purpose
            }?.path
        }
        #expect(try routed(template, .marketing) == nil)
        #expect(try routed(template, .utility) == "route")
        #expect(try routed(text, .marketing) == "route")
    }

    @Test func noCommandOutlivesItsTopic() throws {
        #expect(OutboundCommand.maxLifetime < .seconds(Topics.outboundRetentionDays * 86_400))
        #expect(OutboundCommand.defaultLifetime <= OutboundCommand.maxLifetime)
        let text = #"{"type":"text","text":{"body":"x"}}"#
        let most = OutboundCommand.maxLifetime
        #expect(try fault(text) { $0.expiresAt = $0.requestedAt + most } == nil)
        let late = try fault(text) { $0.expiresAt = $0.requestedAt + most + .milliseconds(1) }
        #expect(late == MessageFault("expires_at", "must be at most 6 days ahead"))
    }
}
