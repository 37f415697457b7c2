import WhatsApp

/// An answer of the API: status and JSON body, in the shape of the hosting.
struct APIAnswer: Sendable {
    /// Whether the caller gets to see the answer.
    enum Fate: Sendable, Hashable {
        case given, cut
        case silence(Duration)
    }

    let status: Int
    let body: [UInt8]
    /// The platform's code in a refusal.
    private(set) var code: Int?
    var fate = Fate.given

    init(status: Int, body: [UInt8]) { (self.status, self.body) = (status, body) }
    private init(_ status: Int, _ code: Int, _ body: [UInt8]) {
        (self.status, self.code, self.body) = (status, code, body)
    }

    static func accepted(_ message: SendRequest.Message, id: String, hosting: Hosting) -> APIAnswer {
        APIAnswer(
            status: 200,
            body: JSONWriter.object { answer in
                if hosting == .cloud { answer.member("messaging_product", "whatsapp") }
                answer.array("contacts") { contacts in
                    contacts.objectElement { contact in
                        contact.member("input", message.input)
                        switch message.recipient {
                        case .phone(let phone): contact.member("wa_id", phone)
                        case .userID(let id): contact.member("user_id", id)
                        case .group(let id): contact.member("wa_id", id)
                        }
                    }
                }
                answer.array("messages") { messages in
                    messages.objectElement { sent in
                        sent.member("id", id)
                        if message.type == "template", hosting == .cloud { sent.member("message_status", "accepted") }
                    }
                }
                if hosting == .onPremise { meta(&answer) }
            })
    }

    /// On-premise answers an empty object.
    static func markedAsRead(_ hosting: Hosting) -> APIAnswer {
        APIAnswer(status: 200, body: JSONWriter.object { if hosting == .cloud { $0.member("success", true) } })
    }

    static func webhook(_ webhook: SimulatedWebhook?) -> APIAnswer {
        APIAnswer(
            status: 200,
            body: JSONWriter.object { answer in
                answer.memberOrNull("url", webhook?.url)
                answer.object("headers") { headers in
                    for (name, value) in (webhook?.headers ?? [:]).sorted(by: { $0.key < $1.key }) {
                        headers.member(name, value)
                    }
                }
            })
    }

    /// 360dialog's own shape, not Meta's.
    static let unauthorized = APIAnswer(
        status: 401,
        body: JSONWriter.object { answer in
            answer.object("meta") { meta in
                meta.member("http_code", 401)
                meta.member("developer_message", "Invalid api_key or token expired")
                meta.member("success", false)
            }
        })

    static func refused(_ fault: SendRequest.Fault, hosting: Hosting) -> APIAnswer {
        switch hosting {
        case .cloud:
            return meta(400, code: 100, "Invalid parameter", type: "OAuthException", details: fault.details)
        case .onPremise:
            return fault.isMissing
                ? onPremise(400, code: 1_008, "Required parameter is missing", details: fault.details)
                : onPremise(400, code: 1_009, "Parameter value is not valid", details: fault.details)
        }
    }

    static func limited(_ verdict: PlatformLimits.Verdict, hosting: Hosting) -> APIAnswer {
        // The on-premise client has one code for all of them.
        if hosting == .onPremise { return onPremise(429, code: 1_015, "Too many requests", details: "Slow down") }
        let (code, message) =
            switch verdict {
            case .accountRate: (80_007, "Rate limit issues")
            case .pair: (131_056, "(Business Account, Consumer Account) pair rate limit hit")
            case .numberRate, .allowed: (130_429, "Rate limit hit")
            }
        return meta(429, code: code, message, type: "OAuthException", details: "Slow down")
    }

    static func maintenance(_ hosting: Hosting) -> APIAnswer {
        switch hosting {
        case .cloud:
            meta(500, code: 131_057, "Account in maintenance mode", type: "OAuthException", details: "Maintenance")
        case .onPremise: onPremise(503, code: 1_011, "Service not ready", details: "Maintenance")
        }
    }

    static func held(_ hosting: Hosting) -> APIAnswer {
        switch hosting {
        case .cloud:
            meta(403, code: 131_031, "Business Account locked", type: "OAuthException", details: "Account locked")
        case .onPremise: onPremise(403, code: 402, "Payment required", details: "Account locked")
        }
    }

    /// Too many webhooks wait for their 200: on-premise calls it 1016, Cloud code 2.
    static func overloaded(_ hosting: Hosting) -> APIAnswer {
        switch hosting {
        case .cloud:
            meta(503, code: 2, "Service temporarily unavailable", type: "OAuthException", details: "Overloaded")
        case .onPremise: onPremise(503, code: 1_016, "System overloaded", details: "Too many callbacks wait")
        }
    }

    private static func meta(
        _ status: Int, code: Int, _ message: String, type: String, details: String
    ) -> APIAnswer {
        APIAnswer(
            status, code,
            JSONWriter.object { answer in
                answer.object("error") { error in
                    error.member("message", "(#\(code)) \(message)")
                    error.member("type", type)
                    error.member("code", code)
                    error.object("error_data") { data in
                        data.member("messaging_product", "whatsapp")
                        data.member("details", details)
                    }
                    error.member("fbtrace_id", "Simulated")
                }
            })
    }

    private static func onPremise(_ status: Int, code: Int, _ title: String, details: String) -> APIAnswer {
        APIAnswer(
            status, code,
            JSONWriter.object { answer in
                answer.array("errors") { errors in
                    errors.objectElement { error in
                        error.member("code", code)
                        error.member("title", title)
                        error.member("details", details)
                    }
                }
                meta(&answer)
            })
    }

    private static func meta(_ answer: inout JSONWriter) {
        answer.object("meta") { meta in
            meta.member("api_status", "stable")
            meta.member("version", "2.53.1")
        }
    }
}
