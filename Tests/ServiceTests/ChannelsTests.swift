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

    @Test(arguments: [
        ("channels: {}", "names no channel"),
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

    @Test func aSecretIsNeverPrinted() throws {
        let channels = try Channels(yaml: full, environment: ["KEY": "k-very-secret"])
        var dumped = ""
        dump(channels, to: &dumped)
        #expect(!dumped.contains("k-very-secret"))
        #expect(!"\(channels)".contains("k-very-secret"))
        #expect("\(Secret("x"))" == "<secret>")
    }
}
