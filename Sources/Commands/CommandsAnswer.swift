import Hummingbird
import WhatsApp

/// What a caller is told.
struct CommandsAnswer: Sendable {
    let status: HTTPResponse.Status
    /// Metric label, one of a few words; also the `code` of an error.
    let outcome: String
    let body: [UInt8]
    var headers: HTTPFields = [:]

    /// All there are.
    static let outcomes = [
        "accepted", "repeated", "invalid", "unauthorized", "forbidden", "conflict", "too_large", "unavailable",
    ]

    static func accepted(_ receipt: CommandReceipt) -> CommandsAnswer {
        CommandsAnswer(
            status: .accepted, outcome: receipt.isRepetition ? "repeated" : "accepted",
            body: JSONWriter.object { body in
                body.member("command_id", receipt.commandID)
                body.member("conversation_key", receipt.conversationKey)
                body.member("repeated", receipt.isRepetition)
            })
    }

    static func invalid(_ fault: MessageFault) -> CommandsAnswer {
        error(.badRequest, "invalid", fault.rule, field: fault.path)
    }

    static func refused(_ refusal: CommandRefusal) -> CommandsAnswer {
        switch refusal {
        case .invalid(let fault): invalid(fault)
        case .forbidden: error(.forbidden, "forbidden", "is not a channel you may send from", field: "channel")
        case .conflict:
            error(.conflict, "conflict", "was used for another command", field: "idempotency_key")
        }
    }

    static var unauthorized: CommandsAnswer {
        error(.unauthorized, "unauthorized", "a bearer token is needed", more: [.wwwAuthenticate: "Bearer"])
    }

    static func tooLarge(_ limit: Int) -> CommandsAnswer {
        // The rest of the body is not worth reading.
        error(.contentTooLarge, "too_large", "a body may have \(limit) bytes", more: [.connection: "close"])
    }

    static var unavailable: CommandsAnswer {
        error(
            .serviceUnavailable, "unavailable", "not stored; call again with the same idempotency key",
            more: [.retryAfter: "1"])
    }

    var response: Response {
        var headers = headers
        headers[.contentType] = "application/json"
        return Response(status: status, headers: headers, body: .init(byteBuffer: ByteBuffer(bytes: body)))
    }

    private static func error(
        _ status: HTTPResponse.Status, _ code: String, _ rule: String, field: String? = nil, more: HTTPFields = [:]
    ) -> CommandsAnswer {
        let body = JSONWriter.object { body in
            body.object("error") { error in
                error.member("code", code)
                error.memberIfPresent("field", field)
                error.member("rule", rule)
            }
        }
        return CommandsAnswer(status: status, outcome: code, body: body, headers: more)
    }
}
