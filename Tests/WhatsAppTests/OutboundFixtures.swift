import Foundation
import WhatsApp

/// Bodies of the send API and its answers, from `Fixtures/outbound`.
enum OutboundFixtures {
    static func folder(_ name: String) -> URL {
        guard let root = Bundle.module.resourceURL else { preconditionFailure("the fixtures are part of the tests") }
        return root.appending(path: "Fixtures/outbound/\(name)")
    }

    static func files(_ folder: String) -> [String] {
        let names = try? FileManager.default.contentsOfDirectory(atPath: self.folder(folder).path)
        return (names ?? []).filter { $0.hasSuffix(".json") }.sorted()
    }

    static func bytes(_ folder: String, _ file: String) throws -> [UInt8] {
        Array(try Data(contentsOf: self.folder(folder).appending(path: file)))
    }

    /// The same text for the same JSON value, whatever the order of members and the blanks.
    static func canonical(_ bytes: some Sequence<UInt8>, without removed: String? = nil) throws -> String {
        var value = try JSONSerialization.jsonObject(with: Data(bytes))
        if let removed, var object = value as? [String: Any] {
            object[removed] = nil
            value = object
        }
        let data = try JSONSerialization.data(withJSONObject: value, options: [.sortedKeys])
        return String(decoding: data, as: UTF8.self)
    }
}
