import EventLog
import ProcessorTesting
import Testing
import WhatsApp

@testable import analytics

@Suite struct AnalyticsTests {
    private let topics = Topics()
    private let channel = ChannelIdentity(
        name: "demo", hosting: .cloud, wabaID: "900", phoneNumberID: "700", displayPhoneNumber: "15550009001")
    /// The begin of a minute.
    private let minute = Timestamp(seconds: 1_790_000_040)

    private func split(_ items: String) throws -> [StoredRecord] {
        let body = """
            {"object":"whatsapp_business_account","entry":[{"id":"900","changes":[{"field":"messages","value":{
            "metadata":{"display_phone_number":"15550009001","phone_number_id":"700"},\(items)}}]}]}
            """
        return try WebhookSplitter.split(Array(body.utf8), channel: channel, topics: topics, receivedAt: minute)
            .map { StoredRecord($0) }
    }

    private func message(_ id: String, at second: Int64, type: String = "text") throws -> StoredRecord {
        try split(
            #""messages":[{"id":"\#(id)","from":"15550001111","timestamp":"\#(minute.milliseconds / 1_000 + second)","type":"\#(type)"}]"#
        )[0]
    }

    private func status(_ id: String, _ word: String, at second: Int64, error: Int? = nil) throws -> StoredRecord {
        let errors = error.map { #","errors":[{"code":\#($0)}]"# } ?? ""
        return try split(
            #""statuses":[{"id":"\#(id)","status":"\#(word)","recipient_id":"15550001111","timestamp":"\#(minute.milliseconds / 1_000 + second)"\#(errors)}]"#
        )[0]
    }

    private func result(_ outcome: OutboundResult.Outcome) -> StoredRecord {
        let command = OutboundCommand(
            channel: channel, id: "c-\(outcome)", purpose: .reply, recipient: .to("15550001111"),
            conversationKey: "700:15550001111", message: try! JSON(parsing: Array(#"{"type":"text","text":{"body":"hi"}}"#.utf8)),
            expiresAt: minute + .seconds(600), requestedAt: minute)
        let result = OutboundResult(
            of: command, outcome: outcome, messageID: outcome == .accepted ? "wamid.1" : nil, attempts: 1,
            firstAttemptAt: minute, finishedAt: minute + .seconds(3),
            error: outcome == .rejected ? .init(code: 131_047, errorClass: "permanent", message: "window") : nil)
        return StoredRecord(result.record(topic: topics.outboundResults))
    }

    private func windows(_ outputs: [Record]) -> [AnalyticsWindow] {
        outputs.compactMap { $0.value.flatMap(AnalyticsWindow.init(decoding:)) }
    }

    @Test func everyKindIsCountedInItsMinute() async throws {
        let tester = ProcessorTester(AnalyticsProcessor(topics: topics))
        let outputs = try await tester.feed(
            [
                message("m1", at: 0), message("m2", at: 59, type: "image"), result(.accepted), result(.rejected),
                result(.expired), status("w", "sent", at: 4), status("w", "delivered", at: 5), status("w", "read", at: 6),
                status("v", "failed", at: 7, error: 131_026),
            ], at: minute)
        let window = try #require(windows(outputs).first)
        #expect(outputs.count == 1)
        #expect(outputs[0].key == Array("700|\(minute.milliseconds)|0".utf8))
        #expect(window.incoming == ["text": 1, "image": 1])
        #expect((window.out, window.sent, window.delivered, window.read) == (1, 1, 1, 1))
        #expect(window.failed == ["131047": 1, "expired": 1, "131026": 1])
    }

    @Test func aCopyIsCountedOnce() async throws {
        let tester = ProcessorTester(AnalyticsProcessor(topics: topics))
        _ = try await tester.feed([message("m1", at: 0), message("m1", at: 0)], at: minute)
        let later = try await tester.feed([message("m1", at: 0), message("m2", at: 1)], at: minute + .seconds(7 * 86_400))
        #expect(windows(later).first?.incoming == ["text": 2])
    }

    @Test func minutesAreKeptApartAndALateMessageCorrectsThePast() async throws {
        let tester = ProcessorTester(AnalyticsProcessor(topics: topics))
        let both = try await tester.feed([message("m1", at: 59), message("m2", at: 60)], at: minute)
        #expect(windows(both).count == 2)
        let late = try await tester.feed([message("m3", at: 1)], at: minute + .seconds(3_600))
        #expect(windows(late).map(\.incoming) == [["text": 2]])
    }

    @Test func theTraceOfTheLastCauseGoesOn() async throws {
        let tester = ProcessorTester(AnalyticsProcessor(topics: topics))
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        var last = try message("m2", at: 2)
        last.headers.append("traceparent", trace)
        let outputs = try await tester.feed([message("m1", at: 1), last], at: minute)
        #expect(outputs.map { $0.headers.string("traceparent") } == [trace])
    }

    @Test func statusesThatAreNoStepCountForNothing() async throws {
        let tester = ProcessorTester(AnalyticsProcessor(topics: topics))
        #expect(try await tester.feed([status("w", "teleported", at: 1)], at: minute).isEmpty)
    }
}
