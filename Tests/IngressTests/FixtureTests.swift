import EventLog
import Foundation
import SQLiteLog
import Testing
import WhatsApp

@testable import Ingress

/// Every body of the fixtures over a real socket into a real log.
@Suite struct FixtureTests {
    private static let topics = Topics(partitions: 2)

    @Test func everyGoodBodyIsOnTheLogWhenItIsAnswered() async throws {
        let fixtures = try Fixtures.good()
        #expect(fixtures.count > 200)
        try await withLog { log in
            try await withIngress(log.producer, topics: Self.topics) { ingress in
                let client = try await ingress.connect()
                for fixture in fixtures {
                    let before = try await log.counts(Self.topics)
                    let path = fixture.hosting == "onprem" ? "/webhooks/onprem" : "/webhooks/shop"
                    client.post(post(try Fixtures.body(fixture.file), to: path))
                    let response = try await client.response()
                    let after = try await log.counts(Self.topics)
                    #expect(response.status == 200, "\(fixture.file)")
                    #expect(response.body.isEmpty, "\(fixture.file)")
                    #expect(after - before == fixture.counts, "\(fixture.file)")
                }
            }
        }
    }

    @Test func everyBadBodyIsAnsweredAndTheNextGoodOneIsTaken() async throws {
        let fixtures = try Fixtures.bad()
        #expect(fixtures.count > 100)
        try await withLog { log in
            try await withIngress(log.producer, topics: Self.topics) { ingress in
                for fixture in fixtures {
                    let before = try await log.counts(Self.topics)
                    let headers = fixture.headers.map { "\($0): \($1)\r\n" }.joined()
                    let body = try Fixtures.body("bad/" + fixture.file)
                    let response = try await ingress.answer(
                        to: post(body, headers: TestIngress.shopHeader + headers))
                    #expect(response.status == fixture.http, "\(fixture.file)")
                    let gained = try await log.counts(Self.topics) - before
                    if response.status == 200 {
                        #expect(response.body.isEmpty)
                        #expect(gained == fixture.records, "\(fixture.file)")
                    } else {
                        #expect(gained == Fixtures.Counts(), "\(fixture.file)")
                        #expect(response.body.utf8.count < 200, "\(fixture.file)")
                        #expect(response.body.hasPrefix("{\"error\":{\"code\":"), "\(fixture.file)")
                    }
                    if response.status == 400 { #expect(response.body.contains("\"invalid_json\""), "\(fixture.file)") }
                    try await ingress.expect(200, to: post(message("wamid.next")), "\(fixture.file)")
                }
            }
        }
    }

    private func withLog(_ body: (SQLiteLog) async throws -> Void) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "ingress-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let log = try await SQLiteLog.open(path: folder.appending(path: "events.db").path)
        do {
            try await log.admin.createTopics(Self.topics.specs(groups: []))
            try await body(log)
            await log.close()
        } catch {
            await log.close()
            throw error
        }
    }
}

extension SQLiteLog {
    /// Records on the ingress's topics.
    fileprivate func counts(_ topics: Topics) async throws -> Fixtures.Counts {
        func count(_ topic: Topic) async throws -> Int {
            let partitions = (0..<topics.partitions).map { TopicPartition(topic, $0) }
            return try await admin.watermarks(of: partitions).values.reduce(0) { $0 + Int($1.high) }
        }
        return Fixtures.Counts(
            messages: try await count(topics.messages), statuses: try await count(topics.statuses),
            errors: try await count(topics.errors), others: try await count(topics.other))
    }
}

/// The bodies of `Tests/WhatsAppTests/Fixtures`; its README says what is there.
enum Fixtures {
    struct Counts: Decodable, Sendable, Equatable {
        var messages = 0
        var statuses = 0
        var errors = 0
        var others = 0

        static func - (a: Counts, b: Counts) -> Counts {
            Counts(
                messages: a.messages - b.messages, statuses: a.statuses - b.statuses, errors: a.errors - b.errors,
                others: a.others - b.others)
        }
    }
    struct Good: Decodable, Sendable {
        var file: String
        var hosting: String
        var counts: Counts
    }
    struct Bad: Decodable, Sendable {
        var file: String
        var http: Int
        var headers: [String: String]
        var records: Counts?
    }
    private struct Files<Fixture: Decodable>: Decodable {
        var files: [Fixture]
    }

    private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../WhatsAppTests/Fixtures").standardizedFileURL

    static func good() throws -> [Good] { try decode("manifest.json") }
    static func bad() throws -> [Bad] { try decode("bad/expected.json") }

    private static func decode<Fixture: Decodable>(_ path: String) throws -> [Fixture] {
        let data = try Data(contentsOf: folder.appending(path: path))
        return try JSONDecoder().decode(Files<Fixture>.self, from: data).files
    }

    static func body(_ path: String) throws -> [UInt8] {
        switch path {
        case "bad/five-megabyte-text.json":
            let filler = "\"" + String(repeating: "K", count: 5_000_000) + "\""
            return Array(try plainText().replacing("\"ok 1\"", with: filler).utf8)
        case "bad/five-megabyte-spaces.json":
            return Array(try plainText().dropLast().utf8) + [UInt8](repeating: 0x20, count: 5_000_000) + Array("}".utf8)
        default:
            return Array(try Data(contentsOf: folder.appending(path: path)))
        }
    }

    private static func plainText() throws -> String {
        String(decoding: try body("bad/utf8-bom.json").dropFirst(3), as: UTF8.self)
    }
}
