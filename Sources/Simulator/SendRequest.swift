import WhatsApp

/// A request to `/messages`, read and checked as far as the platform would refuse it at once.
enum SendRequest: Sendable {
    case message(Message)
    /// Blue ticks, perhaps with a typing indicator.
    case markAsRead

    struct Message: Sendable {
        let recipient: SentMessage.Recipient
        /// The recipient as the caller wrote it: the answer repeats it.
        let input: String
        let type: String
        let tag: String?
        let quotes: String?
        let text: String?
        let choices: [ReceivedMessage.Choice]
        let isVoice: Bool
    }

    /// Why the platform refuses the request; `details` names the parameter, as its own answers do.
    struct Fault: Error, Sendable {
        let details: String
        /// A parameter is absent, rather than wrong: the on-premise client has two codes.
        let isMissing: Bool

        static func missing(_ parameter: String) -> Fault {
            Fault(details: "The parameter \(parameter) is required.", isMissing: true)
        }
        static func invalid(_ parameter: String) -> Fault {
            Fault(details: "The parameter \(parameter) is not valid.", isMissing: false)
        }
    }

    init(_ body: [UInt8], hosting: Hosting) throws(Fault) {
        guard let json = try? JSON(parsing: body), json.kind == .object else { throw .invalid("body") }
        if hosting == .cloud, json["messaging_product"]?.string != "whatsapp" { throw .missing("messaging_product") }
        if json["status"]?.string == "read" {
            guard json["message_id"]?.string != nil else { throw .missing("message_id") }
            self = .markAsRead
            return
        }
        self = .message(try Message(json))
    }
}

extension SentMessage.Recipient {
    var phone: String? {
        if case .phone(let phone) = self { phone } else { nil }
    }
    /// Names the recipient among all kinds.
    var key: String {
        switch self {
        case .phone(let phone): phone
        case .userID(let id): "user:\(id)"
        case .group(let id): "group:\(id)"
        }
    }
}

extension SendRequest.Message {
    typealias Fault = SendRequest.Fault

    init(_ json: JSON) throws(Fault) {
        (recipient, input) = try Self.recipient(json)
        guard let type = json["type"]?.string else { throw .missing("type") }
        guard let content = json[type] else { throw .missing(type) }
        self.type = type
        tag = json["biz_opaque_callback_data"]?.string
        if let tag, tag.unicodeScalars.count > CommandTag.maxBytes { throw .invalid("biz_opaque_callback_data") }
        if let context = json["context"] {
            guard let id = context["message_id"]?.string else { throw .missing("context['message_id']") }
            quotes = id
        } else {
            quotes = nil
        }
        try SendRules.check(content, type: type)
        let interactive = type == "interactive" ? content : nil
        text = (interactive?["body"]?["text"] ?? content["body"] ?? content["caption"])?.string
        choices = interactive.map(Self.choices) ?? []
        isVoice = type == "audio" && content["voice"]?.bool == true
    }

    /// `to` wins when `recipient`, a business-scoped user id, is there too (Meta: business-scoped user ids).
    private static func recipient(_ json: JSON) throws(Fault) -> (SentMessage.Recipient, String) {
        if let to = json["to"] {
            guard let input = to.string ?? to.integer.map(String.init), !input.isEmpty else { throw .invalid("to") }
            if json["recipient_type"]?.string == "group" { return (.group(input), input) }
            let digits = input.filter { $0.isASCII && $0.isNumber }
            guard (5...15).contains(digits.count) else { throw .invalid("to") }
            return (.phone(digits), input)
        }
        guard let recipient = json["recipient"] else { throw .missing("to") }
        guard let id = recipient.string, !id.isEmpty else { throw .invalid("recipient") }
        return (.userID(id), id)
    }

    private static func choices(_ interactive: JSON) -> [ReceivedMessage.Choice] {
        let action = interactive["action"]
        let buttons = action?["buttons"]?.elements.compactMap { choice($0["reply"], isRow: false) } ?? []
        let rows = action?["sections"]?.elements.flatMap { $0["rows"]?.elements ?? [] } ?? []
        return buttons + rows.compactMap { choice($0, isRow: true) }
    }

    private static func choice(_ json: JSON?, isRow: Bool) -> ReceivedMessage.Choice? {
        guard let json, let id = json["id"]?.string, let title = json["title"]?.string else { return nil }
        return ReceivedMessage.Choice(id: id, title: title, isRow: isRow)
    }
}
