extension ErrorCatalogue {
    /// Every code the platform is known to answer, by hosting. A range is a family whose members are handled alike. Where
    /// a row names no scope, its class has one (`ErrorCatalogueEntry.usualScope`).
    public static let entries: [ErrorCatalogueEntry] = [
        row(0, .cloud, [401], .hold, "cannot authenticate"),
        row(1, .cloud, [400], .retryFew, "unknown API error, or a bad request"),
        row(2, .cloud, [503], .retry, "service down or overloaded", scope: .app),
        row(3, .cloud, [500], .hold, "the app lacks a capability or permission"),
        row(4, .cloud, [429], .retry, "call limit of the app", scope: .app),
        row(10, .cloud, [403], .hold, "permission denied"),
        row(33, .cloud, [400], .hold, "the number was deleted or its id is wrong"),
        row(100, .cloud, [400], .permanent, "invalid parameter"),
        row(190, .cloud, [401], .hold, "access token expired"),
        range(200...299, .cloud, [403], .hold, "permission missing"),
        row(368, .cloud, [403], .hold, "account restricted for a violation of policy", scope: .account),
        row(613, .cloud, [], .retry, "call rate limit"),
        row(80007, .cloud, [429], .retry, "rate limit of the account", scope: .account),
        row(130429, .cloud, [429], .retry, "throughput of the number reached", scope: .number),
        row(130472, .cloud, [400], .marketing, "the user is in an experiment group"),
        row(130497, .cloud, [403], .permanent, "the business may not message this country"),
        row(131000, .cloud, [500], .retryFew, "something went wrong"),
        row(131005, .cloud, [403], .hold, "access denied"),
        row(131008, .cloud, [400], .permanent, "required parameter missing"),
        row(131009, .cloud, [400], .permanent, "parameter value invalid"),
        row(131016, .cloud, [500], .retry, "service unavailable", scope: .app),
        row(131021, .cloud, [400], .permanent, "recipient and sender are the same"),
        row(131026, .cloud, [400], .permanent, "undeliverable: no WhatsApp, an old app, or terms not accepted"),
        row(131030, .cloud, [400], .permanent, "recipient is not in the allowed list of the test number"),
        row(131031, .cloud, [403], .hold, "account locked", scope: .account),
        row(131037, .cloud, [400], .hold, "display name not approved"),
        row(131042, .cloud, [400], .hold, "payment problem", scope: .account),
        row(131044, .cloud, [400], .hold, "payment problem", scope: .account),
        row(131045, .cloud, [500], .hold, "certificate or registration is wrong"),
        row(131047, .cloud, [400], .permanent, "outside the 24 h window: only a template may go"),
        row(131048, .cloud, [429], .hold, "spam rate limit: look at the quality of the number", pause: .seconds(3_600)),
        row(131049, .cloud, [400], .marketing, "held back by the platform's marketing cap for this user"),
        row(131050, .cloud, [400], .marketing, "the user has stopped marketing messages"),
        row(131051, .cloud, [400], .permanent, "unsupported message type"),
        row(131052, .cloud, [400], .permanent, "media could not be downloaded"),
        row(131053, .cloud, [400], .retryFew, "media could not be uploaded or fetched"),
        row(131056, .cloud, [429, 400], .retryRecipient, "pair rate limit: too many messages to this recipient"),
        row(131057, .cloud, [500], .retry, "maintenance, or a throughput upgrade (a minute)", scope: .number, pause: .seconds(30)),
        row(131060, .cloud, [], .inbound, "message unavailable"),
        row(131062, .cloud, [400], .permanent, "this message needs the phone number, not the user id"),
        row(131063, .cloud, [400], .template, "marketing templates are disabled on this endpoint"),
        row(131064, .cloud, [429], .hold, "messaging limit lowered for misclassified templates", scope: .account),
        row(132000, .cloud, [400], .permanent, "number of template parameters does not match"),
        row(132001, .cloud, [404], .template, "no such template in this language, or not approved"),
        row(132005, .cloud, [400], .permanent, "filled template text too long"),
        row(132007, .cloud, [400], .permanent, "template text violates the character policy"),
        row(132008, .cloud, [400], .permanent, "template parameter has the wrong format"),
        row(132012, .cloud, [400], .permanent, "template parameter has the wrong format"),
        row(132015, .cloud, [400], .template, "template paused"),
        row(132016, .cloud, [400], .template, "template disabled"),
        row(132068, .cloud, [400], .template, "flow blocked"),
        row(132069, .cloud, [400], .retry, "flow throttled to ten an hour", scope: .template, pause: .seconds(360)),
        row(133000, .cloud, [], .hold, "deregistration incomplete"),
        row(133004, .cloud, [503], .retry, "registration service unavailable", pause: .seconds(300)),
        row(133005, .cloud, [], .hold, "wrong two-step PIN"),
        row(133006, .cloud, [], .hold, "number must be verified again"),
        row(133008, .cloud, [], .hold, "too many wrong PINs"),
        row(133009, .cloud, [], .hold, "PIN entered too fast"),
        row(133010, .cloud, [400], .hold, "number not registered"),
        row(133015, .cloud, [], .hold, "number was deleted a moment ago"),
        row(133016, .cloud, [429], .retry, "too many registrations of the number", pause: .seconds(300)),
        row(134011, .cloud, [], .hold, "terms of payment not accepted", scope: .account),
        row(135000, .cloud, [400], .permanent, "generic user error"),
        row(137000, .cloud, [400], .permanent, "identity hash does not match: the recipient's identity changed"),
        range(138000...138999, .cloud, [], .setup, "calling"),
        range(139000...139999, .cloud, [], .setup, "flows or block list"),
        range(147000...147999, .cloud, [], .setup, "usernames"),
        row(2_593_109, .cloud, [], .inbound, "chat history is not shared"),

        row(400, .onPremise, [], .permanent, "media could not be downloaded"),
        row(402, .onPremise, [], .hold, "payment problem"),
        row(408, .onPremise, [], .permanent, "pending for more than a day"),
        row(410, .onPremise, [], .permanent, "time to live is over"),
        row(429, .onPremise, [429], .retry, "rate limit hit", scope: .number),
        row(430, .onPremise, [], .hold, "certificate problem"),
        row(432, .onPremise, [], .hold, "certificate problem"),
        row(433, .onPremise, [], .hold, "certificate problem"),
        row(470, .onPremise, [], .permanent, "outside the 24 h window: only a template may go"),
        row(471, .onPremise, [], .hold, "spam rate limit: look at the quality of the number", pause: .seconds(3_600)),
        row(472, .onPremise, [], .marketing, "the user is in an experiment group"),
        row(480, .onPremise, [], .permanent, "the recipient's identity changed"),
        row(500, .onPremise, [], .retryFew, "generic error"),
        row(501, .onPremise, [], .inbound, "message type unknown to the client"),
        row(1000, .onPremise, [500], .retryFew, "generic error"),
        range(1001...1010, .onPremise, [400], .permanent, "message too long, incomplete, invalid or not allowed"),
        row(1011, .onPremise, [503], .retry, "service not ready", scope: .number),
        row(1013, .onPremise, [404], .permanent, "the recipient is not on WhatsApp"),
        row(1014, .onPremise, [500], .retry, "internal error; the number may be offline", scope: .number),
        row(1015, .onPremise, [429], .retry, "too many requests", scope: .number),
        row(1016, .onPremise, [503], .retry, "overloaded: does our webhook answer 200?", scope: .number, pause: .seconds(60)),
        row(1021, .onPremise, [], .permanent, "wrong user for this call"),
        row(1022, .onPremise, [], .hold, "no webhook URL is set"),
        row(1023, .onPremise, [], .hold, "database error of the client"),
        row(1024, .onPremise, [], .hold, "password must be changed"),
        row(1025, .onPremise, [], .permanent, "invalid request"),
        row(1026, .onPremise, [], .permanent, "the receiver cannot take this message"),
        row(2000, .onPremise, [], .permanent, "number of template parameters does not match"),
        range(2001...2003, .onPremise, [], .template, "template missing or cannot be fetched"),
        range(2004...2012, .onPremise, [], .permanent, "template parameter too long, missing or of the wrong format"),
    ]

    private static func row(
        _ code: Int64, _ hosting: Hosting, _ httpStatuses: [Int], _ errorClass: ErrorClass, _ meaning: String,
        scope: ErrorScope? = nil, pause: Duration? = nil
    ) -> ErrorCatalogueEntry {
        range(code...code, hosting, httpStatuses, errorClass, meaning, scope: scope, pause: pause)
    }

    private static func range(
        _ codes: ClosedRange<Int64>, _ hosting: Hosting, _ httpStatuses: [Int], _ errorClass: ErrorClass,
        _ meaning: String, scope: ErrorScope? = nil, pause: Duration? = nil
    ) -> ErrorCatalogueEntry {
        ErrorCatalogueEntry(
            codes: codes, hosting: hosting, httpStatuses: httpStatuses, errorClass: errorClass,
            scope: scope ?? ErrorCatalogueEntry.usualScope(of: errorClass), pause: pause, meaning: meaning)
    }

    /// 360dialog's errors carry no code of the platform. They are told apart by words of their text, all in lower
    /// case, in whatever shape it comes; the first rule that fits counts.
    struct TextRule: Sendable {
        let words: [String]
        let errorClass: ErrorClass
        var scope = ErrorScope.number
        let meaning: String
    }
    static let textRules: [TextRule] = [
        TextRule(words: ["exceeded", "limit"], errorClass: .retry, meaning: "360dialog's own rate limit"),
        TextRule(words: ["lack of payment"], errorClass: .hold, meaning: "an invoice is not paid"),
        TextRule(words: ["has been disabled"], errorClass: .hold, meaning: "the API is disabled for this number"),
        TextRule(words: ["api_key"], errorClass: .hold, meaning: "the API key is not accepted"),
        TextRule(words: ["url", "is blocked"], errorClass: .permanent, scope: .message, meaning: "the endpoint is blocked"),
    ]
}

extension ErrorCatalogueEntry {
    /// How far an error of the class reaches when nothing narrower or wider is known.
    public static func usualScope(of errorClass: ErrorClass) -> ErrorScope {
        switch errorClass {
        case .retry, .retryFew, .permanent, .marketing, .inbound, .setup: .message
        case .retryRecipient: .recipient
        case .template: .template
        case .hold: .number
        }
    }
}
