import Foundation
import Testing

@testable import Service

@Suite struct PrincipalsFileTests {
    @Test func tokensComeFromTextEnvironmentAndFile() throws {
        let file = NSTemporaryDirectory() + "millrace-\(UUID().uuidString)"
        try Data("first-token-of-shop\n\n  second-token-of-shop \r\n".utf8).write(to: URL(fileURLWithPath: file))
        defer { try? FileManager.default.removeItem(atPath: file) }
        let yaml = """
            principals:
              shop: { token_file: \(file), channels: [main, old] }
              crm: { token_env: CRM }
              first-try: { token: plain-token-of-try }
            """
        let entries = try PrincipalsFile.parse(yaml: yaml, environment: ["CRM": "secret-token-of-crm"])
        #expect(entries.map(\.name) == ["crm", "first-try", "shop"])
        #expect(entries[2].tokens.map(\.value) == ["first-token-of-shop", "second-token-of-shop"])
        #expect(entries[2].channels == ["main", "old"])
        #expect(entries[0].channels == nil)
        #expect(!"\(entries)".contains("secret-token-of-crm"))
    }

    @Test(arguments: [
        ("", "principals file"), ("principals: {}", "principals file"), ("a: [", "principals file"),
        ("principals: { a: { token: 0123456789abcdef } }\nmore: 1", "principals file"),
        ("principals: { a: 17 }", "principals.a"), ("principals: { a: {} }", "principals.a.token"),
        ("principals: { a: { token: hush } }", "principals.a.token"),
        ("principals: { a: { token: hush hush hush hush } }", "principals.a.token"),
        ("principals: { a: { token: 12345678901234567 } }", "principals.a.token"),
        ("principals: { a: { token: 0123456789abcdef, token_env: A } }", "principals.a.token"),
        ("principals: { a: { token_env: HUSH } }", "principals.a.token_env"),
        ("principals: { a: { token_file: /hush } }", "principals.a.token_file"),
        ("principals: { a: { token: 0123456789abcdef, channel: [x] } }", "principals.a.channel"),
        ("principals: { a: { token: 0123456789abcdef, channels: [] } }", "principals.a.channels"),
        ("principals: { a: { token: 0123456789abcdef }, b: { token: 0123456789abcdef } }", "principals file"),
    ])
    func mistakeIsNamedByItsPlace(yaml: String, place: String) {
        let error = #expect(throws: SettingError.self) { _ = try PrincipalsFile.parse(yaml: yaml) }
        #expect(error?.setting == place)
        #expect(error?.description.lowercased().contains("hush") == false)
    }
}
