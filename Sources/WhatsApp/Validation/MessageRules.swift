/// The platform's rules for messages, type by type: what is required, and how long or many it may be (Meta's pages on
/// each message type; buttons, lists and templates above all). Unknown types of messages pass, unknown interactive ones do
/// not: of those the list is known.
///
/// Sizes and formats of media are not here: a command names media, it does not carry them.
enum MessageRules {
    static func check(_ message: JSON, hosting: Hosting) throws(MessageFault) {
        try common.check(message)
        guard let type = message["type"]?.string, let content = message[type] else { return }
        if type == "reaction", message["context"] != nil { throw MessageFault("context", "must not be there") }
        let rule = hosting == .onPremise && type == "template" ? template(hosting) : types[type]
        do throws(MessageFault) { try rule?.check(content) } catch { throw error.inside(type) }
    }

    private static let common = MessageRule.object([
        .optional("context", .object([.required("message_id", .someText)]))
    ])

    private static let types: [String: MessageRule] = [
        "text": .object([.required("body", .text(1...4_096)), .optional("preview_url", .flag)]),
        "image": media([.optional("caption", .text(0...1_024))]),
        "video": media(),
        "audio": media([.optional("voice", .flag)], [.without("caption")]),
        "document": media(),
        "sticker": media(),
        "location": .object([.required("latitude", .number(-90...90)), .required("longitude", .number(-180...180))]),
        "contacts": .list(
            1...Int.max,
            of: .object([
                .required(
                    "name",
                    .object(
                        [.required("formatted_name", .someText)],
                        [.atLeastOne(of: ["first_name", "last_name", "middle_name", "prefix", "suffix"])]))
            ])),
        // An empty emoji takes the reaction back.
        "reaction": .object([.required("message_id", .someText), .required("emoji", .anyText)]),
        "interactive": .all([.chosen(by: "type", interactive, areAll: true), .object([footer])]),
        "template": template(.cloud),
    ]

    private static func media(
        _ members: [MessageRule.Member] = [], _ conditions: [MessageRule.Condition] = []
    ) -> MessageRule {
        .object(
            members + [.optional("id", .someText), .optional("link", .someText)],
            [.atLeastOne(of: ["id", "link"])] + conditions)
    }
}

// MARK: Interactive messages

extension MessageRules {
    private static let interactive: [String: MessageRule] = [
        "button": .object([
            .optional("header", anyHeader), .required("body", .object([.required("text", .text(1...1_024))])),
            .required(
                "action",
                .object([
                    .required(
                        "buttons",
                        .list(1...3, of: button, [.different("reply.id"), .different("reply.title")]))
                ])),
        ]),
        "list": .object([
            .optional("header", textHeader), .required("body", .object([.required("text", .text(1...4_096))])),
            .required(
                "action",
                .object([
                    .required("button", .text(1...20)),
                    .required(
                        "sections",
                        .list(1...10, of: section, [.requiredAmongSeveral("title"), .total("rows", 1...10)])),
                ])),
        ]),
        "cta_url": .all([
            .object([.optional("header", anyHeader)]),
            action(parameters: [.required("display_text", .text(1...20)), .required("url", .someText)]),
        ]),
        "flow": .all([.object([.optional("header", anyHeader)]), action(parameters: [.required("flow_cta", .plainText(1...20))])]),
        "product": .object([], [.without("header")]),
        "location_request_message": anyObject, "request_contact_info": anyObject, "call_permission_request": anyObject,
        "catalog_message": anyObject, "address_message": anyObject,
        "product_list": .object([
            .required("header", textHeader),
            .required(
                "action",
                .object([.required("sections", .list(1...10, of: .anything, [.total("product_items", 1...30)]))])),
        ]),
    ]

    private static let anyObject = MessageRule.object([])

    private static let button = MessageRule.object([
        .required("reply", .object([.required("id", .text(1...256)), .required("title", .text(1...20))]))
    ])

    private static let section = MessageRule.object([
        .optional("title", .text(0...24)),
        .required(
            "rows",
            .list(
                1...10,
                of: .object([
                    .required("id", .text(1...200)), .required("title", .text(1...24)),
                    .optional("description", .text(0...72)),
                ]))),
    ])

    private static let footer = MessageRule.Member.optional("footer", .object([.required("text", .text(1...60))]))

    private static let anyHeader = MessageRule.chosen(by: "type", headers, areAll: true)
    private static let headers: [String: MessageRule] = [
        "text": .object([.required("text", .text(1...60))]),
        "image": .object([.required("image", media())]),
        "video": .object([.required("video", media())]),
        "document": .object([.required("document", media())]),
    ]

    private static let textHeader = MessageRule.object([
        .required("type", .word("text")), .required("text", .text(1...60)),
    ])

    private static func action(parameters: [MessageRule.Member]) -> MessageRule {
        .object([.required("action", .object([.required("parameters", .object(parameters))]))])
    }
}

// MARK: Templates

extension MessageRules {
    private static func template(_ hosting: Hosting) -> MessageRule {
        let components = MessageRule.Member.optional(
            "components",
            // The text of a body may be long only where nothing else is filled in.
            .list(0...Int.max, of: component(body: 1_024), alone: component(body: 32_768)))
        switch hosting {
        case .cloud:
            return .object([
                .required("name", .someText), .required("language", .object([.required("code", .someText)])), components,
            ])
        case .onPremise:
            return .object([
                .required("namespace", .someText), .required("name", .someText),
                .required("language", .object([.required("policy", .someText), .required("code", .someText)])),
                components,
            ])
        }
    }

    private static func component(body: Int, inCard: Bool = false) -> MessageRule {
        var rules: [String: MessageRule] = [
            "header": parameters([
                "text": .object([.required("text", .text(1...60))]),
                "image": .object([.required("image", media())]),
                "video": .object([.required("video", media())]),
                "document": .object([.required("document", media())]),
            ]),
            "body": parameters(["text": .object([.required("text", .text(1...body))])]),
            "button": parameters(["coupon_code": .object([.required("coupon_code", .text(1...15))])]),
        ]
        if !inCard {
            let card = MessageRule.object([
                .required("components", .list(1...Int.max, of: component(body: 1_024, inCard: true)))
            ])
            rules["carousel"] = .object([.required("cards", .list(2...10, of: card))])
        }
        return .chosen(by: "type", rules)
    }

    private static func parameters(_ rules: [String: MessageRule]) -> MessageRule {
        .object([.optional("parameters", .list(0...Int.max, of: .chosen(by: "type", rules)))])
    }
}
