import EventLog
import Processing
import ProcessorTesting
import Testing
import WhatsApp

@testable import auto_responder

@Suite struct AutoResponderTests {
    typealias Silence = AutoResponderProcessor.Silence

    private static let yaml = """
        rules:
          - {name: hello, when: {keyword: hello}, reply: {text: "Hi {name|there}!"}}
          - {name: exact, when: {exact: "bye bye"}, reply: {text: exact}}
          - {name: regex, when: {regex: 'order #\\d{4}$'}, reply: {text: regex}}
          - {name: both, when: {type: text, keyword: both}, reply: {text: both}}
          - {name: yes, when: {id: [yes, CONFIRM]}, reply: {text: tapped}}
          - {name: silent, when: {exact: stop}, reply: none}
          - {name: welcome, when: {type: request_welcome}, reply: {text: welcome}}
          - {name: poll, when: {type: poll_vote}, reply: {text: voted}}
          - {name: picture, when: {type: image}, reply: {text: picture}}

        """
    private static let withDefault = yaml + "  - {name: rest, when: default, reply: {text: rest}}\n"

    private func responder(_ yaml: String = withDefault) throws -> AutoResponderProcessor {
        AutoResponderProcessor(topics: Topics(), rules: try ReplyRules(yaml: yaml))
    }

    /// The text of the reply, or why there is none.
    private func outcome(
        _ responder: AutoResponderProcessor, _ record: StoredRecord, _ context: HandlerContext = context()
    ) async throws -> Result<String, Silence> {
        try await responder.decide(try InboundMessage(record), context).map { reply in
            let message = try? reply.message(name: nil, quoting: "x")
            return message?["text"]?["body"]?.string ?? reply.type
        }
    }

    @Test(
        arguments: [
            (text("Hello, world"), .success("Hi there!")),
            (text("hello both"), .success("Hi there!")),
            (text("Bye  BYE"), .success("exact")),
            (text("my Order #4711"), .success("regex")),
            (text("both"), .success("both")),
            (text("stop"), .failure(.silentRule)),
            (text(""), .success("rest")),
            (text("what?"), .success("rest")),
            (
                #""type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":"yes","title":"No"}}"#,
                .success("tapped")
            ),
            (
                #""type":"interactive","interactive":{"type":"list_reply","list_reply":{"id":"yes","title":"No"}}"#,
                .success("tapped")
            ),
            (
                #""type":"interactive","interactive":{"type":"button_reply","button_reply":{"id":"1","title":"hello"}}"#,
                .success("Hi there!")
            ),
            (#""type":"button","button":{"payload":"CONFIRM","text":"Confirm"}"#, .success("tapped")),
            (#""type":"button","button":{"text":"hello"}"#, .success("Hi there!")),
            (#""type":"image","image":{"id":"1"}"#, .success("picture")),
            (#""type":"audio","audio":{"id":"1"}"#, .success("rest")),
            (#""type":"reaction","reaction":{"message_id":"wamid.9","emoji":"👍"}"#, .failure(.silentType)),
            (#""type":"system","system":{"body":"hello","type":"user_changed_number"}"#, .failure(.silentType)),
            (#""type":"unsupported","errors":[{"code":131051}]"#, .failure(.silentType)),
            (#""type":"unknown","errors":[{"code":501}]"#, .failure(.silentType)),
            (#""type":"revoke","revoke":{"original_message_id":"wamid.9"}"#, .failure(.silentType)),
            (
                #""type":"edit","edit":{"original_message_id":"wamid.9","message":{"type":"text","text":{"body":"hello"}}}"#,
                .failure(.silentType)
            ),
            (#""type":"request_welcome""#, .success("welcome")),
            (#""type":"poll_vote","poll_vote":{}"#, .success("voted")),
            (#""type":"from_the_future","from_the_future":{}"#, .failure(.noRule)),
            (text("hello") + #","group_id":"Y2FwaV9ncm91cA==""#, .failure(.group)),
        ] as [(String, Result<String, Silence>)])
    func messageGetsItsReplyOrNone(_ content: String, _ expected: Result<String, Silence>) async throws {
        #expect(try await outcome(responder(), message(content)) == expected)
    }

    @Test func withoutDefaultTheRestIsSilent() async throws {
        #expect(try await outcome(responder(Self.yaml), message(text("what?"))) == .failure(.noRule))
    }

    @Test func replyIsACommandToTheSender() async throws {
        let record = try message(text("hello"), id: "wamid.A", more: #","context":{"id":"wamid.0"}"#)
        let now = written + .seconds(5)
        let outputs = try await responder().handle(record, context(now: now))
        #expect(outputs.count == 1)
        let output = try #require(outputs.first)
        #expect(output.topic == Topics().outbound)
        #expect(output.key == record.key)

        let stored = StoredRecord(output, at: now)
        let command = try OutboundCommand(stored)
        let cause = try CloudEvent(record.headers)
        #expect(command.recipient == .to("15550001111"))
        #expect(command.conversationKey == "700100200300501:15550001111")
        #expect(command.channel.name == "shop" && command.channel.phoneNumberID == "700100200300501")
        #expect(command.purpose == .reply)
        #expect(command.windowEndsAt == written + .seconds(86_400))
        #expect(command.expiresAt == written + .seconds(86_400))
        #expect(command.causationID == cause.id)
        #expect(command.correlationID == cause.correlationID)
        #expect(command.traceparent?.contains(trace) == true)
        let message = command.message
        #expect(message["text"]?["body"]?.string == "Hi Ana Sample!")
        #expect(message["context"]?["message_id"]?.string == "wamid.A")
        let expected = OutboundCommand.id(
            processor: "auto-responder", source: cause.source, causeID: cause.id, ordinal: 0)
        #expect(command.id == expected)
    }

    @Test func copiesOfAMessageGiveOneCommandWithOneID() async throws {
        let record = try message(text("hello"))
        func id(_ outputs: [Record]) throws -> String { try CloudEvent(try #require(outputs.first).headers).id }
        // Handled again after a crash (state lost): the same command. With state: none.
        let state = MemoryState()
        let responder = try responder()
        let first = try await responder.handle(record, context(state))
        let afterCrash = try await responder.handle(record, context(MemoryState(), now: written + .seconds(600)))
        #expect(try id(first) == id(afterCrash))
        #expect(try await outcome(responder, record, context(state)) == .failure(.duplicate))
        #expect(try await responder.handle(record, context(state)).isEmpty)
        let other = try await responder.handle(try message(text("hello"), id: "wamid.2"), context(state))
        #expect(try id(other) != id(first))
    }

    @Test func userWithoutPhoneIsAnsweredByID() async throws {
        let record = try message(text("hello"), from: nil, name: nil, more: #","from_user_id":"US.9001""#)
        let outputs = try await responder().handle(record, context())
        let value = try JSON(parsing: try #require(outputs.first?.value))
        #expect(value["command"]?["recipient"]?.string == "US.9001")
        #expect(value["command"]?["to"] == nil)
        #expect(value["command"]?["message"]?["text"]?["body"]?.string == "Hi there!")
    }

    @Test func ownMessagesAreNotAnswered() async throws {
        for own in ["15550009001", "+15550009001"] {
            #expect(try await outcome(responder(), message(text("hello"), from: own)) == .failure(.ownMessage))
        }
    }

    @Test func groupsAreAnsweredWhenTheRulesSaySo() async throws {
        let record = try message(text("hello"), more: #","group_id":"Y2FwaV9ncm91cA==""#)
        let responder = try responder(Self.withDefault + "groups: true\n")
        let outputs = try await responder.handle(record, context())
        let value = try JSON(parsing: try #require(outputs.first?.value))
        #expect(value["command"]?["to"]?.string == "Y2FwaV9ncm91cA==")
        let own = try message(text("hello"), from: "15550009001", more: #","group_id":"Y2FwaV9ncm91cA==""#)
        #expect(try await outcome(responder, own) == .failure(.ownMessage))
    }

    @Test func messagesOutsideTheWindowAreNotAnswered() async throws {
        let record = try message(text("hello"))
        let day = Duration.seconds(86_400)
        let responder = try responder()
        #expect(
            try await outcome(responder, record, context(now: written + day - .seconds(1))) == .success("Hi there!"))
        #expect(try await outcome(responder, record, context(now: written + day)) == .failure(.tooOld))
        #expect(try await outcome(responder, record, context(now: written + day * 6)) == .failure(.tooOld))
    }

    @Test func aClockAheadDoesNotStretchTheWindow() async throws {
        let now = written - .seconds(3_600)
        let outputs = try await responder().handle(try message(text("hello")), context(now: now))
        let value = try JSON(parsing: try #require(outputs.first?.value))
        #expect(value["command"]?["expires_at"]?.integer == (now + .seconds(86_400)).milliseconds)
    }

    @Test func welcomeIsGivenOncePerConversation() async throws {
        let state = MemoryState()
        let responder = try responder()
        let type = #""type":"request_welcome""#
        let first = try await outcome(responder, message(type, id: "w1"), context(state))
        let second = try await outcome(responder, message(type, id: "w2"), context(state))
        let other = try await outcome(responder, message(type, id: "w3", from: "15550002222"), context(state))
        #expect(first == .success("welcome"))
        #expect(second == .failure(.duplicate))
        #expect(other == .success("welcome"))
        let without = "rules:\n  - {name: rest, when: default, reply: {text: rest}}"
        #expect(try await outcome(self.responder(without), message(type)) == .failure(.noRule))
    }

    @Test func repliesAreCappedPerConversation() async throws {
        let state = MemoryState()
        let responder = try responder(
            Self.withDefault + "cap: [{replies: 3, per: 60s}, {replies: 5, per: 1h}]\n")
        var ids = 0
        func send(at seconds: Int, from: String = "15550001111") async throws -> Bool {
            ids += 1
            let now = written + .seconds(seconds)
            let record = try message(text("hello"), id: "wamid.\(ids)", from: from)
            return try await outcome(responder, record, context(state, now: now)) == .success("Hi there!")
        }
        #expect(try await [send(at: 0), send(at: 1), send(at: 30), send(at: 31)] == [true, true, true, false])
        #expect(try await send(at: 31, from: "15550002222"))
        // The first two leave the minute; what was refused took no room.
        #expect(try await [send(at: 60), send(at: 61), send(at: 62)] == [true, true, false])
        // Five in this hour.
        #expect(try await [send(at: 200), send(at: 3_599)] == [false, false])
        #expect(try await [send(at: 3_600), send(at: 3_600), send(at: 3_601)] == [true, false, true])
    }

    @Test func brokenRecordGoesToTheDeadLetters() async throws {
        var record = try message(text("hello"))
        record.value = Array("{".utf8)
        let broken = record
        await #expect(throws: MalformedRecord.self) { try await responder().handle(broken, context()) }
    }

    @Test func rulesFileIsReadAndMissingOneIsAnError() throws {
        let example = testsFolder("../processors/auto-responder/rules.yaml").path
        #expect(try ReplyRules.load(path: example).rules.map(\.name) == ReplyRules.example().rules.map(\.name))
        #expect(throws: RulesError.self) { try ReplyRules.load(path: "/nowhere/rules.yaml") }
    }
}
