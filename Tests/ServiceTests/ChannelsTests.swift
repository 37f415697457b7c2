import Foundation
import Service
import Testing
import WhatsApp

@Suite struct ChannelsTests {
    private let full = """
        channels:
          main:
            hosting: on-premise
            phone_number_id: "700"
            webhook:
              basic: { user: u, password: p }
            api_key_env: KEY
          second:
            webhook:
              header: { name: X-Secret, value: v }
        account:
          webhook:
            header: { name: X-Secret, value: w }
        """

    @Test func aFullFileGivesItsChannels() throws {
        let all = try Channels(yaml: full, environment: ["KEY": "k"]).all
        #expect(all.map(\.identity.name) == ["main", "second", "account"])
        #expect(all[0].identity.hosting == .onPremise)
        #expect(all[0].apiKey == Secret("k"))
        #expect(all[0].baseURL == "https://waba.360dialog.io")
        #expect(all[1].baseURL == "https://waba-v2.360dialog.io")
        #expect(all[1].apiKey == nil)
        #expect(all[2].isAccount)
        #expect(all[1].webhookProofs == [.header(name: "X-Secret", value: Secret("v"))])
    }

    @Test func aSecretCanStandInAFile() throws {
        let path = NSTemporaryDirectory() + "secret-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("from-file\n".utf8).write(to: URL(fileURLWithPath: path))
        let yaml = "channels: { a: { webhook: { basic: { user: u, password_file: \(path) } } } }"
        #expect(try Channels(yaml: yaml).all[0].webhookProofs == [.basic(user: "u", password: Secret("from-file"))])
    }

    @Test func everyFormMayBeAListOfSecretsThatAreAllValid() throws {
        let yaml = """
            channels:
              a:
                phone_number_id: 700100
                bound: true
                raw: true
                webhook:
                  basic: [{ user: u, password: old }, { user: u, password_env: NEW }]
                  header:
                    - { name: X-One, value: a }
                    - { name: X-One, value: b }
                  signature: [{ secret: s1 }, { secret: s2 }]
                  meta: [{ app_secret: m1, verify_token: t1 }, { app_secret: m2 }]
              b:
                raw: false
                webhook: { signature: { secret: s } }
            """
        let all = try Channels(yaml: yaml, environment: ["NEW": "new"]).all
        #expect(
            all[0].webhookProofs == [
                .basic(user: "u", password: Secret("old")), .basic(user: "u", password: Secret("new")),
                .header(name: "X-One", value: Secret("a")), .header(name: "X-One", value: Secret("b")),
                .signature(secret: Secret("s1")), .signature(secret: Secret("s2")),
                .metaSignature(appSecret: Secret("m1")), .metaSignature(appSecret: Secret("m2")),
            ])
        #expect(all[0].verifyTokens == [Secret("t1")])
        // A number without quotes is the same text.
        #expect(all[0].identity.phoneNumberID == "700100")
        #expect(all[0].isBound)
        #expect(all.map(\.keepsRaw) == [true, false])
    }

    @Test func onlyABareWordMeansNothing() throws {
        let yaml = "channels: { a: { webhook: { basic: { user: '~', password: 'null' } } } }"
        #expect(try Channels(yaml: yaml).all[0].webhookProofs == [.basic(user: "~", password: Secret("null"))])
        #expect(throws: SettingError.self) { try Channels(yaml: yaml.replacing("'", with: "")) }
    }

    @Test func oneChannelNeedsNoFile() throws {
        let path = NSTemporaryDirectory() + "secret-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        try Data("from-file\n".utf8).write(to: URL(fileURLWithPath: path))
        let all = try Channels.load(environment: [
            "MILLRACE_CHANNEL_NAME": "shop", "MILLRACE_CHANNEL_HOSTING": "on-premise",
            "MILLRACE_CHANNEL_PHONE_NUMBER_ID": "700", "MILLRACE_CHANNEL_BOUND": "true", "MILLRACE_CHANNEL_RAW": "true",
            "MILLRACE_CHANNEL_BASIC_USER": "u", "MILLRACE_CHANNEL_BASIC_PASSWORD_FILE": path,
            "MILLRACE_CHANNEL_META_APP_SECRET": "m", "MILLRACE_CHANNEL_META_VERIFY_TOKEN": "t",
            "MILLRACE_CHANNEL_API_KEY": "k", "MILLRACE_CHANNEL_BASE_URL": "http://127.0.0.1:8360",
        ]).all
        #expect(all.count == 1)
        #expect(all[0].identity.name == "shop")
        #expect(all[0].identity.hosting == .onPremise)
        #expect(all[0].webhookProofs == [
            .basic(user: "u", password: Secret("from-file")), .metaSignature(appSecret: Secret("m")),
        ])
        #expect(all[0].verifyTokens == [Secret("t")])
        #expect(all[0].apiKey == Secret("k"))
        #expect(all[0].baseURL == "http://127.0.0.1:8360")
        #expect(all[0].isBound)
        #expect(all[0].keepsRaw == true)
        let named = try Channels.load(environment: ["MILLRACE_CHANNEL_SIGNATURE_SECRET": "s"]).all
        #expect(named.map(\.identity.name) == ["main"])
    }

    @Test(arguments: [
        ([:], "MILLRACE_CHANNELS: must name"),
        (["MILLRACE_CHANNELS": "/nowhere"], "MILLRACE_CHANNELS: names a file"),
        (["MILLRACE_CHANNELS": "/nowhere", "MILLRACE_CHANNEL_API_KEY": "s3cret"], "MILLRACE_CHANNELS: cannot be used together"),
        (["MILLRACE_CHANNEL_API_KEY": "s3cret"], "MILLRACE_CHANNEL_…: is missing"),
        (["MILLRACE_CHANNEL_BASIC_USER": "s3cret"], "MILLRACE_CHANNEL_BASIC: needs password"),
        (["MILLRACE_CHANNEL_BASIC_PASSWORD": "s3cret"], "MILLRACE_CHANNEL_BASIC: needs user"),
        (["MILLRACE_CHANNEL_SIGNATURE_SECRET": ""], "MILLRACE_CHANNEL_SIGNATURE_SECRET: must not be empty"),
        (["MILLRACE_CHANNEL_SIGNATURE_SECRET": " \t "], "MILLRACE_CHANNEL_SIGNATURE_SECRET: must not be empty"),
        (["MILLRACE_CHANNEL_SIGNATURE_SECRET": "\u{200B}\u{1}"], "MILLRACE_CHANNEL_SIGNATURE_SECRET: must not be empty"),
        (
            ["MILLRACE_CHANNEL_SIGNATURE_SECRET": "s", "MILLRACE_CHANNEL_PHONE_NUMBER_ID": ""],
            "MILLRACE_CHANNEL_PHONE_NUMBER_ID: must not be empty"
        ),
        (["MILLRACE_CHANNEL_SIGNATURE_SECRET_FILE": "/nowhere"], "MILLRACE_CHANNEL_SIGNATURE_SECRET_FILE: names a file"),
        (["MILLRACE_CHANNEL_SIGNATURE_SECRT": "s3cret"], "MILLRACE_CHANNEL_SIGNATURE_SECRT: is not known"),
        (["MILLRACE_CHANNEL_BOUND": "s3cret", "MILLRACE_CHANNEL_SIGNATURE_SECRET": "s3cret"], "MILLRACE_CHANNEL_BOUND: must be true or false"),
        (["MILLRACE_CHANNEL_HOSTING": "s3cret", "MILLRACE_CHANNEL_SIGNATURE_SECRET": "s3cret"], "MILLRACE_CHANNEL_HOSTING: must be"),
        (["MILLRACE_CHANNEL_NAME": "a/b", "MILLRACE_CHANNEL_SIGNATURE_SECRET": "s3cret"], "name"),
    ] as [([String: String], String)])
    func aMistakeInTheEnvironmentIsNamedByItsVariable(_ environment: [String: String], _ text: String) {
        let error = #expect(throws: SettingError.self) { try Channels.load(environment: environment) }
        #expect(error?.description.contains(text) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("s3cret") == false)
    }

    @Test(arguments: [
        ("channels: {}", "names no channel"),
        ("channels:", "names no channel"),
        ("", "names no channel"),
        ("- a", "the file: must have members"),
        ("channels: { a: s3cret }", "channels.a: must have members"),
        ("channels: { a: { webhook: { basic: [] } } }", "channels.a.webhook.basic: must not be an empty list"),
        (
            "channels: { a: { webhook: { basic: [{ user: u, password: p }, { user: u }] } } }",
            "channels.a.webhook.basic[1]: needs password"
        ),
        ("channels: { a: { webhook: { basic: { user: 'u:v', password: p } } } }", "channels.a.webhook.basic.user: must not contain a colon"),
        ("channels: { a: { webhook: { basic: { user: u, password: '  ' } } } }", "channels.a.webhook.basic.password: must not be empty"),
        ("channels: { a: { webhook: { header: { name: 'X Secret', value: v } } } }", "channels.a.webhook.header.name: is no name"),
        ("channels: { a: { webhook: { header: { name: 'X(Secret', value: v } } } }", "channels.a.webhook.header.name: is no name"),
        ("channels: { a: { webhook: { header: { name: X, value: 's3cret ' } } } }", "channels.a.webhook.header.value: must not begin"),
        ("channels: { a: { webhook: { header: { name: X, value: \"\\ts3cret\" } } } }", "channels.a.webhook.header.value: must not begin"),
        ("channels: { a: { webhook: { header: { name: X, value: \"s3\\ncret\" } } } }", "channels.a.webhook.header.value: holds"),
        (
            "channels: { a: { webhook: { basic: { user: u, password: p }, header: { name: authorization, value: s3cret } } } }",
            "channels.a.webhook.header.name: cannot be Authorization beside basic"
        ),
        ("channels: { account: { webhook: { signature: { secret: s } } } }", "channels.account: is the name of the account's own"),
        ("channels: { .: { webhook: { signature: { secret: s } } } }", "channels..: such a name"),
        ("channels: { ..: { webhook: { signature: { secret: s } } } }", "channels...: such a name"),
        ("channels: { a: { webhook: { meta: { verify_token: t } } } }", "channels.a.webhook.meta: needs app_secret"),
        ("channels: { a: { webhook: { signature: { secret: } } } }", "channels.a.webhook.signature.secret: must be text"),
        ("channels: { a: { bound: s3cret, phone_number_id: '1', webhook: { signature: { secret: s } } } }", "channels.a.bound: must be true or false"),
        ("channels: { a: { webhook: { signature: { secret: s } } }, a: { webhook: { signature: { secret: s3cret } } } }", "names something twice near line 1"),
        ("channels: { a: { webhook: {} } }", "channels.a.webhook"),
        ("channels: { a: {} }", "webhook"),
        ("channels: { a_b: { webhook: { basic: { user: u, password: p } } } }", "channels.a_b"),
        ("channels: { a: { hosting: moon, webhook: { basic: { user: u, password: p } } } }", "channels.a.hosting"),
        ("channels: { a: { webhook: { basic: { user: u } } } }", "channels.a.webhook.basic"),
        ("channels: { a: { webhook: { basic: { user: u, password: '' } } } }", "channels.a.webhook.basic.password"),
        ("channels: { a: { webhook: { basic: { user: u, password_env: NOPE } } } }", "password_env"),
        ("channels: { a: { webhook: { basic: { user: u, password: s3cret, password_env: X } } } }", "must be given once"),
        ("channels: { a: { base_url: 'ftp://x', webhook: { basic: { user: u, password: p } } } }", "base_url"),
        ("channels: { a: { hostng: cloud, webhook: { basic: { user: u, password: p } } } }", "channels.a.hostng: is not known"),
        ("channels: { a: { webhook: { basic: { user: u, pasword: p } } } }", "channels.a.webhook.basic.pasword"),
        ("channels: [", "the file cannot be read"),
        (
            "channels: { a: { phone_number_id: '1', webhook: { basic: { user: u, password: p } } }, b: { phone_number_id: '1', webhook: { basic: { user: u, password: p } } } }",
            "two channels"
        ),
    ])
    func aMistakeIsNamedByItsPlaceWithoutItsValue(_ yaml: String, _ place: String) {
        let error = #expect(throws: SettingError.self) { try Channels(yaml: yaml) }
        #expect(error?.description.contains(place) == true, "\(error?.description ?? "")")
        #expect(error?.description.contains("s3cret") == false)
    }

    @Test(.timeLimit(.minutes(1)))
    func whatIsTooLargeOrNoFileIsNotRead() throws {
        let path = NSTemporaryDirectory() + "channels-\(UUID().uuidString)"
        defer { try? FileManager.default.removeItem(atPath: path) }
        func load(_ path: String) throws { _ = try Channels.load(environment: ["MILLRACE_CHANNELS": path]) }
        // With a hole in it, so that it costs no disk.
        try Data(full.utf8).write(to: URL(filePath: path))
        try FileHandle(forWritingTo: URL(filePath: path)).truncate(atOffset: 200 << 20)
        let large = #expect(throws: SettingError.self) { try load(path) }
        #expect(large?.description == "MILLRACE_CHANNELS: names a file that is larger than 4194304 bytes")
        // Whoever opens a pipe waits for the other side.
        try FileManager.default.removeItem(atPath: path)
        #expect(mkfifo(path, 0o600) == 0)
        for path in [path, "/dev/zero", NSTemporaryDirectory(), "/nowhere"] {
            let error = #expect(throws: SettingError.self) { try load(path) }
            #expect(error?.description == "MILLRACE_CHANNELS: names a file that cannot be read")
        }
    }

    @Test func aSecretIsNeverPrinted() throws {
        let channels = try Channels(yaml: full, environment: ["KEY": "k-very-secret"])
        var dumped = ""
        dump(channels, to: &dumped)
        #expect(!dumped.contains("k-very-secret"))
        #expect(!"\(channels)".contains("k-very-secret"))
        #expect("\(Secret("x"))" == "<secret>")
    }
}
