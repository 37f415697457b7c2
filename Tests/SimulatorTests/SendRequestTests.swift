import Testing
import WhatsApp

@testable import Simulator

@Suite struct SendRequestTests {
    private static let head = #""messaging_product":"whatsapp","to":"15550001111""#

    private static let button = #""type":"button","body":{"text":"x"}"#

    @Test(arguments: [
        ("not JSON", "body"),
        ("[]", "body"),
        (#"{"to":"15550001111","type":"text","text":{"body":"x"}}"#, "messaging_product"),
        (#"{"messaging_product":"whatsapp","type":"text","text":{"body":"x"}}"#, "to"),
        (#"{"messaging_product":"whatsapp","to":"Ana","type":"text","text":{"body":"x"}}"#, "to"),
        (#"{\#(head),"text":{"body":"x"}}"#, "type"),
        (#"{\#(head),"type":"text"}"#, "text"),
        (#"{\#(head),"type":"text","text":{}}"#, "text['body']"),
        (#"{\#(head),"type":"text","text":{"body":""}}"#, "text['body']"),
        (#"{\#(head),"type":"image","image":{"caption":"x"}}"#, "image['id']"),
        (#"{\#(head),"type":"template","template":{"name":"x"}}"#, "template['language']"),
        (#"{\#(head),"type":"poll","poll":{}}"#, "type"),
        (#"{\#(head),"type":"text","text":{"body":"x"},"context":{}}"#, "context['message_id']"),
        (#"{\#(head),"type":"interactive","interactive":{\#(button)}}"#, "interactive['action']"),
        (
            #"{\#(head),"type":"interactive","interactive":{\#(button),"action":{"buttons":[]}}}"#,
            "interactive['action']['buttons']"
        ),
        (#"{"messaging_product":"whatsapp","status":"read"}"#, "message_id"),
    ])
    func faultNamesTheParameter(_ body: String, _ parameter: String) {
        let fault = #expect(throws: SendRequest.Fault.self) {
            try SendRequest(Array(body.utf8), hosting: .cloud)
        }
        #expect(fault?.details.contains("parameter \(parameter) is") == true)
    }

    @Test func longTextAndLongTagAreRefused() {
        for (length, tag, passes) in [(4_096, 512, true), (4_097, 1, false), (1, 513, false)] {
            let body = """
                {\(Self.head),"type":"text","text":{"body":"\(String(repeating: "ä", count: length))"},\
                "biz_opaque_callback_data":"\(String(repeating: "t", count: tag))"}
                """
            let request = try? SendRequest(Array(body.utf8), hosting: .cloud)
            #expect((request != nil) == passes)
        }
    }

    @Test func recipientIsPhoneUserIDOrGroup() throws {
        func recipient(_ to: String) throws -> SentMessage.Recipient? {
            let body = #"{"messaging_product":"whatsapp",\#(to),"type":"text","text":{"body":"x"}}"#
            guard case .message(let message) = try SendRequest(Array(body.utf8), hosting: .cloud) else { return nil }
            return message.recipient
        }
        #expect(try recipient(#""to":"+1 555 000 1111""#) == .phone("15550001111"))
        #expect(try recipient(#""recipient":"US.9001""#) == .userID("US.9001"))
        #expect(try recipient(#""to":"15550001111","recipient":"US.9001""#) == .phone("15550001111"))
        #expect(try recipient(#""to":"Y2FwaV9ncm91cA==","recipient_type":"group""#) == .group("Y2FwaV9ncm91cA=="))
    }

    @Test func markAsReadIsNoMessage() throws {
        let body =
            #"{"messaging_product":"whatsapp","status":"read","message_id":"wamid.x"}"#
        guard case .markAsRead = try SendRequest(Array(body.utf8), hosting: .cloud) else {
            Issue.record("taken for a message")
            return
        }
    }

    @Test func listAndButtonsCanBeTapped() throws {
        let body = #"""
            {"to":"15550001111","type":"interactive","interactive":{"type":"list","body":{"text":"Times"},
            "action":{"button":"Choose","sections":[{"title":"a","rows":[{"id":"r1","title":"09:00"}]},
            {"title":"b","rows":[{"id":"r2","title":"10:00"}]}]}}}
            """#
        guard case .message(let message) = try SendRequest(Array(body.utf8), hosting: .onPremise) else { return }
        #expect(message.choices.map(\.id) == ["r1", "r2"])
        let allRows = message.choices.allSatisfy(\.isRow)
        #expect(allRows)
        #expect(message.text == "Times")
    }
}
