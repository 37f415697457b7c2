import EventLogTesting
import Foundation

/// Webhook bodies: three statuses to one text message, 600 to 750 bytes with one update each, the same in every run.
enum Payloads {
    static func bodies(count: Int = 1_024, updatesPerBody: Int = 1) -> [String] {
        var random = SeededGenerator(seed: 360)
        return (0..<count).map { body($0, updates: updatesPerBody, &random) }
    }

    private static func body(_ index: Int, updates: Int, _ random: inout SeededGenerator) -> String {
        let isMessage = index % 4 == 0
        let number = "55119\(10_000_000 + random.next() % 90_000_000)"
        var items: [String] = []
        for _ in 0..<updates {
            let id = "wamid.HBgNNTUxMTk4" + hex(38, &random) + "=="
            items.append(isMessage ? message(id, number, index) : status(id, number, index, &random))
        }
        let contact = isMessage ? #""contacts":[{"profile":{"name":"Maria da Conceição"},"wa_id":"\#(number)"}],"# : ""
        return #"{"object":"whatsapp_business_account","entry":[{"id":"10\#(1_000_000_000_000 + index % 7)","changes":[{"value":{"#
            + #""messaging_product":"whatsapp","metadata":{"display_phone_number":"551140042022","phone_number_id":"#
            + #""\#(100_000_000_000_000 + random.next() % 4)"},\#(contact)"\#(isMessage ? "messages" : "statuses")":["#
            + items.joined(separator: ",") + #"]},"field":"messages"}]}]}"#
    }

    private static func message(_ id: String, _ from: String, _ index: Int) -> String {
        let text = String(repeating: "delivery tomorrow please confirm ", count: 7)
        return #"{"from":"\#(from)","id":"\#(id)","timestamp":"\#(1_790_000_000 + index)","type":"text","text":{"body":"\#(text)"}}"#
    }

    private static func status(_ id: String, _ recipient: String, _ index: Int, _ random: inout SeededGenerator) -> String {
        #"{"id":"\#(id)","status":"\#(["sent", "delivered", "read"][index % 3])","timestamp":"\#(1_790_000_000 + index)","#
            + #""recipient_id":"\#(recipient)","conversation":{"id":"\#(hex(32, &random))","expiration_timestamp":"1790086400","#
            + #""origin":{"type":"utility"}},"pricing":{"billable":true,"pricing_model":"PMP","type":"regular","category":"utility"}}"#
    }

    private static func hex(_ digits: Int, _ random: inout SeededGenerator) -> String {
        random.bytes(digits).map { String($0 & 15, radix: 16, uppercase: true) }.joined()
    }
}
