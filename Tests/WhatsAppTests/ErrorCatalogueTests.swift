import Testing
import WhatsApp

@Suite struct ErrorCatalogueTests {
    /// Every recorded error answer with the class the provider's documentation gives it.
    @Test(arguments: [
        ("400-360dialog-disabled", ErrorClass.hold), ("400-360dialog-rate-limit", .retry),
        ("400-360dialog-unpaid", .hold), ("400-cloud-100", .permanent), ("400-cloud-131026", .permanent),
        ("400-cloud-131047", .permanent), ("400-cloud-131056", .retryRecipient), ("400-cloud-132000", .permanent),
        ("400-onprem-1008", .permanent), ("401-360dialog-camel", .hold), ("401-360dialog-flat", .hold),
        ("401-360dialog", .hold), ("401-cloud-190", .hold), ("403-360dialog-blocked", .permanent),
        ("403-cloud-368", .hold), ("404-cloud-132001", .template), ("429-cloud-130429", .retry),
        ("429-cloud-131056", .retryRecipient), ("429-onprem-1015", .retry), ("500-360dialog", .retry),
        ("500-cloud-131000", .retryFew), ("500-onprem-1014", .retry), ("502-360dialog", .retry),
        ("503-cloud-2", .retry), ("503-onprem-1016", .retry), ("555-360dialog", .retry),
    ])
    func recordedAnswer(name: String, expected: ErrorClass) throws {
        let status = try #require(Int(name.prefix(3)))
        let hosting: Hosting = name.contains("onprem") ? .onPremise : .cloud
        let body = try OutboundFixtures.bytes("responses", name + ".json")
        let error = ErrorCatalogue.classify(httpStatus: status, body: body, hosting: hosting)
        #expect(error.errorClass == expected)
        #expect(error.httpStatus == status)
        let code = name.split(separator: "-").last.flatMap { Int64($0) }
        #expect(error.code == code)
    }

    @Test func everyRecordedErrorAnswerIsExpectedAbove() {
        let errors = OutboundFixtures.files("responses").filter { !$0.hasPrefix("200") }
        #expect(errors.count == 26)
    }

    @Test func receiptsOfRecordedSuccesses() throws {
        let expected: [String: (id: String, status: String?)?] = [
            "200-cloud-success": nil, "200-no-id": nil, "200-cloud": ("wamid.c2FtcGxlLW91dC0x", nil),
            "200-cloud-template-accepted": ("wamid.c2FtcGxlLW91dC0y", "accepted"),
            "200-cloud-template-held": ("wamid.c2FtcGxlLW91dC0z", "held_for_quality_assessment"),
            "200-cloud-template-paused": ("wamid.c2FtcGxlLW91dC00", "paused"),
            "200-cloud-to-user-id": ("wamid.c2FtcGxlLW91dC01", nil), "200-onprem": ("gBEGSAMPLEOUT1", nil),
        ]
        for (name, expected) in expected {
            let receipt = SendReceipt(try OutboundFixtures.bytes("responses", name + ".json"))
            #expect(receipt?.messageID == expected?.id, "\(name)")
            #expect(receipt?.messageStatus == expected?.status, "\(name)")
        }
    }

    /// The documented table, written a second time from its source: hosting, class, codes.
    private static let documented: [(Hosting, ErrorClass, [Int64])] = [
        (
            .cloud, .hold,
            [
                0, 3, 10, 33, 190, 200, 250, 299, 368, 131005, 131031, 131037, 131042, 131044, 131045, 131048, 131064,
                133000, 133005, 133006, 133008, 133009, 133010, 133015, 134011,
            ]
        ),
        (.cloud, .retryFew, [1, 131000, 131053]),
        (.cloud, .retry, [2, 4, 613, 80007, 130429, 131016, 131057, 132069, 133004, 133016]),
        (.cloud, .retryRecipient, [131056]),
        (.cloud, .marketing, [130472, 131049, 131050]),
        (.cloud, .template, [131063, 132001, 132015, 132016, 132068]),
        (
            .cloud, .permanent,
            [
                100, 130497, 131008, 131009, 131021, 131026, 131030, 131047, 131051, 131052, 131062, 132000, 132005,
                132007, 132008, 132012, 135000, 137000,
            ]
        ),
        (.cloud, .setup, [138000, 138999, 139001, 147000]),
        (.cloud, .inbound, [131060, 2_593_109]),
        (.onPremise, .hold, [402, 430, 432, 433, 471, 1022, 1023, 1024]),
        (.onPremise, .retryFew, [500, 1000]),
        (.onPremise, .retry, [429, 1011, 1014, 1015, 1016]),
        (.onPremise, .marketing, [472]),
        (.onPremise, .template, [2001, 2002, 2003]),
        (
            .onPremise, .permanent,
            [400, 408, 410, 470, 480, 1001, 1005, 1008, 1010, 1013, 1021, 1025, 1026, 2000, 2004, 2012]
        ),
        (.onPremise, .inbound, [501]),
    ]

    @Test func everyDocumentedCodeHasItsClass() {
        var touched: Set<ErrorCatalogueEntry> = []
        for (hosting, expected, codes) in Self.documented {
            for code in codes {
                let shape =
                    hosting == .cloud
                    ? #"{"error":{"message":"(#\#(code)) x","code":\#(code)}}"#
                    : #"{"errors":[{"code":\#(code),"title":"x"}]}"#
                let error = ErrorCatalogue.classify(httpStatus: 400, body: Array(shape.utf8), hosting: hosting)
                #expect(error.errorClass == expected, "\(code)")
                #expect(error.code == code)
                if let entry = ErrorCatalogue.entry(code: code, hosting: hosting) { touched.insert(entry) }
            }
        }
        #expect(touched.count == ErrorCatalogue.entries.count, "a row that no documented code meets")
    }

    @Test(arguments: [
        (400, "", ErrorClass.retryFew), (401, "", .hold), (402, "", .hold), (403, "", .permanent),
        (404, "", .permanent), (405, "", .permanent), (408, "", .retry), (413, "", .permanent), (415, "", .permanent),
        (418, "", .retryFew), (429, "<html>", .retry), (500, "null", .retry), (502, "[]", .retry), (504, "{}", .retry),
        (555, "Bad", .retry), (599, "", .retry), (301, "", .retryFew), (401, #"{"error":{}}"#, .hold),
        (400, #"{"error":"You have exceeded the endpoint limit"}"#, .retry),
        (400, #"{"meta":{"http_code":400,"developer_message":"lack of payment"}}"#, .hold),
        (500, #"{"error":{"code":131047}}"#, .permanent), (400, #"{"error":{"code":"131047"}}"#, .permanent),
        (429, #"{"error":{"code":999999}}"#, .retryFew), (400, #"{"errors":[]}"#, .retryFew),
    ])
    func bodyDecidesBeforeStatus(status: Int, body: String, expected: ErrorClass) {
        let error = ErrorCatalogue.classify(httpStatus: status, body: Array(body.utf8), hosting: .cloud)
        #expect(error.errorClass == expected)
    }

    /// 360dialog's words decide in every shape, and before a code that means something on the other hosting only.
    @Test(arguments: [
        ("You have exceeded the endpoint limit", ErrorClass.retry), ("due to LACK OF PAYMENT", .hold),
        ("WhatsApp API has been disabled.", .hold), ("Something else", .retryFew),
    ])
    func wordsOf360dialogAreTheSameInEveryShape(text: String, expected: ErrorClass) {
        for shape in [
            #"{"error":"\#(text)"}"#, #"{"meta":{"httpCode":400,"developerMessage":"\#(text)"}}"#,
            #"{"meta":{"http_code":400,"developer_message":"\#(text)"}}"#, #"{"error":{"message":"\#(text)"}}"#,
            #"{"errors":[{"title":"\#(text)"}]}"#, #"{"errors":[{"details":"\#(text)","title":"x"}]}"#,
        ] {
            let error = ErrorCatalogue.classify(httpStatus: 400, body: Array(shape.utf8), hosting: .cloud)
            #expect(error.errorClass == expected, "\(shape)")
            #expect(error.code == nil)
        }
        let foreign = #"{"error":{"code":400,"message":"\#(text)"}}"#
        let error = ErrorCatalogue.classify(httpStatus: 400, body: Array(foreign.utf8), hosting: .cloud)
        #expect(error.errorClass == (expected == .retryFew ? .permanent : expected))
    }

    /// What no server should answer, and some proxy will.
    @Test(arguments: [
        "<!DOCTYPE html><html><body>error 131047</body></html>", "", " ", "null", "[]", "17", #""131047""#, "{",
        #"{"error":null}"#, #"{"error":[]}"#, #"{"error":{"code":null}}"#, #"{"error":{"code":{}}}"#,
        #"{"error":{"code":[131047]}}"#, #"{"error":{"code":1.5}}"#, #"{"error":{"code":1e400}}"#,
        #"{"error":{"code":"131047x"}}"#, #"{"error":{"code":99999999999999999999999}}"#, #"{"errors":null}"#,
        #"{"errors":[]}"#, #"{"errors":["131047"]}"#, #"{"errors":[null,17]}"#, #"{"errors":{"code":470}}"#,
        #"{"meta":"down"}"#, #"{"meta":{"developerMessage":17}}"#, "\u{FEFF}{}",
    ])
    func hostileBodiesLeaveItToTheStatus(body: String) {
        for (status, expected) in [(400, ErrorClass.retryFew), (401, .hold), (429, .retry), (503, .retry)] {
            for hosting in Hosting.allCases {
                let error = ErrorCatalogue.classify(httpStatus: status, body: Array(body.utf8), hosting: hosting)
                #expect(error.errorClass == expected, "\(status)")
                #expect(error.code == nil)
            }
        }
    }

    @Test func nestedJunkAndBrokenBytesLeaveItToTheStatusToo() {
        let deep = Array(repeating: UInt8(ascii: "["), count: 100_000)
        let broken = Array(#"{"error":{"code":131047,"message":""#.utf8) + [0xFF, 0xFE] + Array(#""}}"#.utf8)
        for body in [deep, broken] {
            #expect(ErrorCatalogue.classify(httpStatus: 500, body: body, hosting: .cloud).errorClass == .retry)
        }
    }

    @Test func ofSeveralCodesTheFirstKnownOneCounts() {
        func code(_ list: String) -> ClassifiedError {
            let body = Array(#"{"errors":[\#(list)]}"#.utf8)
            return ErrorCatalogue.classify(httpStatus: 400, body: body, hosting: .onPremise)
        }
        #expect(code(#"{"code":777777},{"code":"470"},{"code":1015}"#).code == 470)
        #expect(code(#"{"title":"x"},{"code":1015}"#).errorClass == .retry)
        let unknown = code(#"{"code":777777},{"code":888888}"#)
        #expect(unknown.code == 777_777)
        #expect(unknown.errorClass == .retryFew)
        let many = Array(repeating: #"{"code":777777}"#, count: 10_000).joined(separator: ",")
        #expect(code(many + #",{"code":470}"#).code == 777_777, "a long list is not read to its end")
    }

    @Test(arguments: [
        (4, ErrorScope.app), (80007, .account), (130429, .number), (131048, .number), (368, .account),
        (131056, .recipient), (132015, .template), (131063, .template), (132069, .template), (131026, .message),
        (131050, .message), (190, .number), (131042, .account), (131000, .message),
    ] as [(Int64, ErrorScope)])
    func errorsReachAsFarAsDocumented(code: Int64, scope: ErrorScope) {
        #expect(ErrorCatalogue.entry(code: code, hosting: .cloud)?.scope == scope)
        let body = Array(#"{"error":{"code":\#(code)}}"#.utf8)
        #expect(ErrorCatalogue.classify(httpStatus: 400, body: body, hosting: .cloud).scope == scope)
    }

    @Test func hostingsKeepTheirOwnCodesAndFallBackOnTheOthers() {
        let body = Array(#"{"error":{"code":470}}"#.utf8)
        #expect(ErrorCatalogue.classify(httpStatus: 400, body: body, hosting: .cloud).errorClass == .permanent)
        #expect(ErrorCatalogue.entry(code: 131047, hosting: .onPremise)?.hosting == .cloud)
        #expect(ErrorCatalogue.entry(code: 424_242, hosting: .cloud) == nil)
    }

    @Test(arguments: [
        ("17", Duration.seconds(17)), ("0", .zero), ("999999999", .seconds(3_600)), ("-1", nil), ("soon", nil),
        (nil, nil),
    ])
    func retryAfterIsBounded(header: String?, expected: Duration?) {
        let error = ErrorCatalogue.classify(httpStatus: 429, body: [], hosting: .cloud, retryAfter: header)
        #expect(error.retryAfter == expected)
    }

    @Test(arguments: [
        ("Sun, 06 Nov 1994 08:49:37 GMT", Duration.seconds(37)), ("Sun, 06 Nov 1994 08:48:00 GMT", .zero),
        ("Mon, 07 Nov 1994 08:49:37 GMT", .seconds(3_600)), ("Sun, 06 Nov 1994 08:49:37", nil),
        ("Sun, 06 Nox 1994 08:49:37 GMT", nil), ("Sun, 32 Nov 1994 08:49:37 GMT", nil), ("Sun 06 Nov 1994 08:49:37 GMT", nil),
        ("Sun,  6 Nov 1994 08:49:37 GMT", nil),
    ])
    func retryAfterMayBeADate(header: String, expected: Duration?) throws {
        let now = try #require(RFC3339.parse("1994-11-06T08:49:00Z"))
        let error = ErrorCatalogue.classify(httpStatus: 503, body: [], hosting: .cloud, retryAfter: header, now: now)
        #expect(error.retryAfter == expected)
    }

    @Test func cataloguesOwnPauseHoldsWhenTheAnswerHasNone() {
        let body = Array(#"{"errors":[{"code":1016}]}"#.utf8)
        func wait(_ header: String?) -> Duration? {
            ErrorCatalogue.classify(httpStatus: 503, body: body, hosting: .onPremise, retryAfter: header).retryAfter
        }
        #expect(wait(nil) == .seconds(60))
        #expect(wait("5") == .seconds(5))
    }

    @Test func detailHidesNumbersAndEnds() {
        let long = String(repeating: "x", count: 2_000)
        let text = "Recipient +15550001111 not in list, expected 2 of 13. \(long)"
        let body = Array(#"{"error":{"code":131030,"error_data":{"details":"\#(text)"}}}"#.utf8)
        let error = ErrorCatalogue.classify(httpStatus: 400, body: body, hosting: .cloud)
        #expect(error.detail?.hasPrefix("Recipient +… not in list, expected 2 of 13. ") == true)
        #expect((error.detail?.count ?? 0) <= 256)
        #expect(!error.meaning.contains("1555"))
    }
}
