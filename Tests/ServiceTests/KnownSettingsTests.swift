import Foundation
import Testing

@testable import Service

@Suite struct KnownSettingsTests {
    /// Every setting has a row in a table of the documentation (`| \`MILLRACE_X\` | …`), and nothing else is known.
    @Test func whatIsDocumentedIsKnown() throws {
        var root = URL(filePath: #filePath)
        for _ in 1...3 { root.deleteLastPathComponent() }
        var documented: Set<String> = []
        for folder in ["Sources", "processors"] {
            let files = try #require(
                FileManager.default.enumerator(at: root.appending(path: folder), includingPropertiesForKeys: nil))
            for case let file as URL in files where file.pathExtension == "swift" {
                let text = try String(contentsOf: file, encoding: .utf8)
                for row in text.matches(of: /\/\/ +\| `?(MILLRACE_[A-Z0-9_]+)`? \|/) { documented.insert(String(row.1)) }
            }
        }
        documented = documented.filter { !$0.hasPrefix("MILLRACE_KAFKA_") && !$0.hasPrefix("MILLRACE_CHANNEL_") }
        #expect(documented.subtracting(KnownSettings.names) == [])
        // Described in words.
        #expect(KnownSettings.names.subtracting(documented) == ["MILLRACE_CONFIG", "MILLRACE_PARENT", "MILLRACE_RULES"])
    }

    @Test func aMisspeltNameIsToldAndNoOther() {
        let environment = [
            "MILLRACE_INGRESS_PROT": "1", "MILLRACE_SPIL": "/x", "MILLRACE_INGRESS_PORT": "1", "MILLRACE_COMMANDS_PORT": "2",
            "MILLRACE_KAFKA_LINGER_MS": "0", "MILLRACE_CHANNEL_NAME": "a", "PATH": "/bin", "MILLRACE_ORDER_ALERTS_LIMIT": "3",
        ]
        #expect(
            KnownSettings.strangers(in: environment, of: "millrace-ingress")
                == ["MILLRACE_INGRESS_PROT", "MILLRACE_ORDER_ALERTS_LIMIT", "MILLRACE_SPIL"])
        #expect(
            KnownSettings.strangers(in: environment, of: "order-alerts") == ["MILLRACE_INGRESS_PROT", "MILLRACE_SPIL"])
    }
}
