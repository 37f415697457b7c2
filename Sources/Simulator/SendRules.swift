import WhatsApp

/// The limits the platform checks before it accepts a message, for the types that stages here send.
enum SendRules {
    typealias Fault = SendRequest.Fault

    static func check(_ content: JSON, type: String) throws(Fault) {
        if type == "contacts" {
            guard !content.elements.isEmpty else { throw .invalid("contacts") }
            return
        }
        guard content.kind == .object else { throw .invalid(type) }
        switch type {
        case "text": try text(content, "body", 1...4_096, in: "text")
        case "image", "video", "audio", "document", "sticker":
            guard content["id"]?.string != nil || content["link"]?.string != nil else {
                throw .missing("\(type)['id']")
            }
        case "location":
            guard content["latitude"] != nil, content["longitude"] != nil else {
                throw .missing("location['latitude']")
            }
        case "reaction":
            guard content["message_id"]?.string != nil else { throw .missing("reaction['message_id']") }
        case "template":
            guard content["name"]?.string != nil else { throw .missing("template['name']") }
            guard content["language"]?["code"]?.string != nil else { throw .missing("template['language']") }
        case "interactive": try interactive(content)
        default: throw .invalid("type")
        }
    }

    private static func interactive(_ content: JSON) throws(Fault) {
        guard let kind = content["type"]?.string else { throw .missing("interactive['type']") }
        guard let action = content["action"], action.kind == .object else { throw .missing("interactive['action']") }
        switch kind {
        case "button":
            try text(content["body"], "text", 1...1_024, in: "interactive['body']")
            let buttons = action["buttons"]?.elements ?? []
            guard (1...3).contains(buttons.count) else { throw .invalid("interactive['action']['buttons']") }
            for button in buttons {
                try text(button["reply"], "id", 1...256, in: "interactive['action']['buttons']")
                try text(button["reply"], "title", 1...20, in: "interactive['action']['buttons']")
            }
        case "list":
            try text(content["body"], "text", 1...4_096, in: "interactive['body']")
            try text(action, "button", 1...20, in: "interactive['action']")
            let rows = (action["sections"]?.elements ?? []).flatMap { $0["rows"]?.elements ?? [] }
            guard (1...10).contains(rows.count) else { throw .invalid("interactive['action']['sections']") }
            for row in rows {
                try text(row, "id", 1...200, in: "interactive['action']['sections']")
                try text(row, "title", 1...24, in: "interactive['action']['sections']")
            }
        default: break
        }
    }

    private static func text(
        _ parent: JSON?, _ member: String, _ length: ClosedRange<Int>, in place: String
    ) throws(Fault) {
        guard let text = parent?[member]?.string else { throw .missing("\(place)['\(member)']") }
        guard length.contains(text.unicodeScalars.count) else { throw .invalid("\(place)['\(member)']") }
    }
}
