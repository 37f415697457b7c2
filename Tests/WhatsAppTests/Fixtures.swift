import Foundation
import WhatsApp

/// The bodies under `Fixtures/` and what is expected of them; see the README there.
enum Fixtures {
    static let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "Fixtures")

    static func body(_ path: String) throws -> [UInt8] {
        switch path {
        case "bad/five-megabyte-text.json":
            let filler = "\"" + String(repeating: "K", count: 5_000_000) + "\""
            return Array(try plainText().replacing("\"ok 1\"", with: filler).utf8)
        case "bad/five-megabyte-spaces.json":
            return Array(try plainText().dropLast().utf8) + Array(repeating: 0x20, count: 5_000_000) + Array("}".utf8)
        default:
            return Array(try Data(contentsOf: folder.appending(path: path)))
        }
    }

    private static func plainText() throws -> String {
        String(decoding: try body("bad/utf8-bom.json").dropFirst(3), as: UTF8.self)
    }

    static let good: [Good] = decode([String: AnyDecodable<[Good]>].self, "manifest.json")["files"]?.value ?? []
    static let bad: [Bad] = decode([String: AnyDecodable<[Bad]>].self, "bad/expected.json")["files"]?.value ?? []

    private static func decode<T: Decodable>(_ type: T.Type, _ path: String) -> T {
        do {
            return try JSONDecoder().decode(type, from: Data(contentsOf: folder.appending(path: path)))
        } catch {
            fatalError("fixtures are damaged: \(path): \(error)")
        }
    }

    /// Holds a value where it has the wanted shape, nothing where it has not.
    private struct AnyDecodable<Value: Decodable>: Decodable {
        let value: Value?
        init(from decoder: any Decoder) throws { value = try? Value(from: decoder) }
    }

    struct Good: Decodable, Sendable {
        var file: String
        var hosting: String
        var counts: Counts
        var messages: [Item]
        var statuses: [Item]
        var errors: [Failure]
        var others: [Other]

        /// A channel that accepts the body, named as `@channel` is spelled out in these tests.
        var channel: ChannelIdentity {
            ChannelIdentity(name: "shop", hosting: hosting == "onprem" ? .onPremise : .cloud)
        }
    }

    struct Item: Decodable, Sendable, Hashable {
        var id: String
        var type: String?
        var status: String?
        var timestamp: String
        var userKey: String
        var conversationKey: String
        var participant: String?

        enum CodingKeys: String, CodingKey {
            case id, type, status, timestamp, participant
            case userKey = "user_key"
            case conversationKey = "conversation_key"
        }
    }

    struct Failure: Decodable, Sendable, Hashable {
        var code: Int64
        var business: String?
    }

    struct Other: Decodable, Sendable, Hashable {
        var field: String?
        var entryID: String?
        var business: String?

        enum CodingKeys: String, CodingKey {
            case field, business
            case entryID = "entry_id"
        }
    }

    struct Counts: Decodable, Sendable, Hashable {
        var messages = 0
        var statuses = 0
        var errors = 0
        var others = 0
    }

    struct Bad: Decodable, Sendable {
        var file: String
        var http: Int
        var records: Counts?
        var headers: [String: String]
    }
}
