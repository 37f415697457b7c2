import EventLog
import Foundation
import Testing

@testable import WhatsApp

/// Damaged fixtures, the same ones in every run. `deploy/local fuzz` runs on, from any seed: `MILLRACE_FUZZ_SECONDS`
/// and `MILLRACE_FUZZ_SEED`.
@Suite struct WebhookFuzzTests {
    /// SplitMix64.
    private struct Random: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }

    private static let small = Fixtures.good.map(\.file).filter { file in
        ((try? Fixtures.body(file).count) ?? .max) < 4_000
    }
    private static let bits: [UInt8] =
        Array("{}[],:\"\\u0\n tfn-+.eE9".utf8) + [0, 0x1F, 0x7F, 0x80, 0xC0, 0xE2, 0xED, 0xF4, 0xFF]

    private static func damage(_ body: inout [UInt8], _ random: inout Random) {
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            if body.isEmpty { return }
            let at = Int.random(in: 0..<body.count, using: &random)
            switch Int.random(in: 0..<6, using: &random) {
            case 0: body[at] = bits.randomElement(using: &random)!
            case 1: body.insert(bits.randomElement(using: &random)!, at: at)
            case 2: body.remove(at: at)
            case 3: body[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 4: body.removeSubrange(at..<min(body.count, at + Int.random(in: 1...20, using: &random)))
            default: body.insert(contentsOf: body[at..<min(body.count, at + 30)], at: at)
            }
        }
    }

    @Test func agreesWithFoundationOnWhatIsJSON() throws {
        var random = Random(state: 20_261_121)
        var accepted = 0
        var refused = 0
        for file in Self.small {
            let whole = try Fixtures.body(file)
            for _ in 0..<40 {
                var body = whole
                Self.damage(&body, &random)
                let ours = try? JSON(parsing: body)
                guard let theirs = Self.foundation(body) else { continue }
                #expect((ours != nil) == theirs, "\(String(decoding: body, as: UTF8.self))")
                if ours != nil { accepted += 1 } else { refused += 1 }
            }
        }
        #expect(accepted > 500 && refused > 500)
    }

    /// Nil where Foundation is no oracle: it refuses lone surrogates and numbers past a double, and takes a comma before
    /// a closing bracket and other Unicode encodings.
    private static func foundation(_ body: [UInt8]) -> Bool? {
        guard String(validating: body, as: UTF8.self) != nil else { return false }
        if body.contains(0) || body.starts(with: [0xEF, 0xBB, 0xBF]) { return nil }
        let text = String(decoding: body, as: UTF8.self)
        if text.contains(#/\\u[dD][89a-fA-F]|[eE][+-]?[0-9]{3}|[0-9]{18}|,[ \t\r\n]*[}\]]/#) { return nil }
        return (try? JSONSerialization.jsonObject(with: Data(body), options: .fragmentsAllowed)) != nil
    }

    @Test func everyObjectGivesRecordsAndNothingCrashes() throws {
        let environment = ProcessInfo.processInfo.environment
        let seed = environment["MILLRACE_FUZZ_SEED"].flatMap(UInt64.init) ?? 42
        let end = environment["MILLRACE_FUZZ_SECONDS"].flatMap(Double.init).map { Date(timeIntervalSinceNow: $0) }
        var round: UInt64 = 0
        repeat {
            try Self.damageEveryFixture(seed: seed &+ round)
            round += 1
        } while end.map({ $0 > Date() }) ?? false
        if end != nil { print("splitter: \(round) rounds over all fixtures from seed \(seed)") }
    }

    private static func damageEveryFixture(seed: UInt64) throws {
        var random = Random(state: seed)
        let channel = ChannelIdentity(name: "shop", hosting: .cloud)
        let splitter = WebhookSplitter(channel: channel, topics: WebhookFixtureTests.topics)
        let workspace = WebhookWorkspace()
        for file in small + Fixtures.bad.map({ "bad/" + $0.file }) where !file.contains("five-megabyte") {
            let whole = try Fixtures.body(file)
            if whole.count > 10_000 { continue }
            for _ in 0..<40 {
                var body = whole
                damage(&body, &random)
                do {
                    let records = try WebhookFixtureTests.split(body, channel)
                    #expect(!records.isEmpty, "seed \(seed), \(file)")
                    for record in records { try check(record, in: body) }
                    // Whatever the bodies before have left in the memory that is used again.
                    let again = try splitter.split(
                        body.span.bytes, receivedAt: WebhookFixtureTests.arrival, traceparent: nil, in: workspace)
                    #expect(again == records, "seed \(seed), \(file)")
                } catch let error as SplitError {
                    #expect((try? JSON(parsing: body))?.kind != .object, "seed \(seed), \(file): \(error)")
                }
            }
        }
    }

    /// What holds for every record: valid JSON around the item, which stands in the body as it is; a complete event; a
    /// key; a time that a broker takes.
    private static func check(_ record: Record, in body: [UInt8]) throws {
        let value = try WebhookFixtureTests.value(record)
        let item = try #require(value["message"] ?? value["status"] ?? value["error"] ?? value["value"])
        #expect(Data(body).range(of: Data(item.bytes)) != nil)
        if let contact = value["contact"], !contact.isNull { #expect(Data(body).range(of: Data(contact.bytes)) != nil) }
        let event = try CloudEvent(record.headers)
        #expect(event.partitionKey.map { Array($0.utf8) } == record.key && record.key?.isEmpty == false)
        #expect(
            event.time != nil
                && record.timestamp.map { $0.milliseconds >= 0 && $0 <= WebhookFixtureTests.arrival } == true)
        #expect(Headers(packed: record.headers.packed) != nil)
        #expect(
            UnreadReason.allCases.map(\.rawValue).contains(
                value["reason"]?.string ?? UnreadReason.nothingInside.rawValue))
    }

    @Test func itemsOfTheFixturesStandInTheBodyAsTheyAre() throws {
        for good in Fixtures.good where good.file != "cloud/batch-near-3mb.json" {
            let body = try Fixtures.body(good.file)
            let records = try WebhookFixtureTests.split(body, good.channel)
            for record in records.prefix(40) { try Self.check(record, in: body) }
        }
    }

    @Test func aBrokenItemLeavesItsNeighboursAlone() throws {
        var random = Random(state: 7)
        let channel = ChannelIdentity(name: "shop", hosting: .cloud)
        let file = "cloud/batch-three-messages-one-user.json"
        let whole = try JSON(parsing: Fixtures.body(file))
        let messages = try #require(whole["entry"]?.elements[0]["changes"]?.elements[0]["value"]?["messages"]).elements
        var split = 0
        for _ in 0..<3_000 {
            var middle = Array(messages[1].bytes)
            Self.damage(&middle, &random)
            // Only damage that stays within the item.
            guard (try? JSON(parsing: middle)) != nil else { continue }
            let items = [Array(messages[0].bytes), middle, Array(messages[2].bytes)].joined(separator: [0x2C])
            let body = WebhookSplitterTests.cloud(#""messages":["#).utf8.dropLast(6) + items + Array("]}}]}]}".utf8)
            let records = try WebhookFixtureTests.split(Array(body), channel)
            #expect(records.count == 3)
            #expect(try records[0].value.map { try JSON(parsing: $0) }?["message"]?.bytes == messages[0].bytes)
            #expect(try records[2].value.map { try JSON(parsing: $0) }?["message"]?.bytes == messages[2].bytes)
            split += 1
        }
        #expect(split > 500)
    }
}
