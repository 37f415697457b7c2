import EventLog
import Testing
import WhatsApp

@Suite struct OutboundResultTests {
    private func result(
        _ outcome: OutboundResult.Outcome, messageID: String? = nil, error: OutboundResult.Failure? = nil
    ) throws -> OutboundResult {
        OutboundResult(
            of: try OutboundCommandTests.command(), outcome: outcome, messageID: messageID, attempts: 2,
            firstAttemptAt: Timestamp(seconds: 10), finishedAt: Timestamp(milliseconds: 11_500), error: error)
    }

    @Test func everyOutcomeComesBackFromItsRecord() throws {
        let error = OutboundResult.Failure(
            ClassifiedError(
                code: 131047, httpStatus: 400, errorClass: .permanent, meaning: "outside the window",
                detail: "details"))
        let results = [
            try result(.accepted, messageID: "wamid.1"), try result(.rejected, error: error), try result(.unknown),
            try result(.expired, error: .init(errorClass: "expired", message: "too late")),
        ]
        for result in results {
            let record = result.record(topic: "results")
            #expect(try OutboundResult(OutboundCommandTests.stored(record)) == result)
            #expect(record.key == Array("700:15550001111".utf8))
        }
        #expect(results[1].error?.message == "outside the window: details")
    }

    @Test func carriesTheChainOfCauses() throws {
        let event = try CloudEvent(result(.accepted, messageID: "wamid.1").record(topic: "results").headers)
        #expect(event.type == "io.360dialog.whatsapp.outbound.resulted.v1")
        #expect(event.source == "/360dialog/900/700")
        #expect(event.subject == "wamid.1")
        #expect(event.causationID == "c1")
        #expect(event.correlationID == "root")
        #expect(event.traceparent == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
    }

    @Test func identityIsTheCommandsEndNotItsTime() throws {
        let first = try result(.accepted, messageID: "wamid.1")
        var later = first
        later.finishedAt = Timestamp(seconds: 99)
        later.attempts = 7
        #expect(first.eventID == later.eventID)
        #expect(first.eventID != (try result(.accepted, messageID: "wamid.2").eventID))
        #expect(try result(.rejected).eventID != result(.expired).eventID)
    }

    @Test(arguments: [
        (#""outcome":"accepted""#, #""outcome":"perhaps""#, "result.outcome"),
        (#""message_id":"wamid.1","#, "", "result.message_id"),
        (#""attempts":2"#, #""attempts":-1"#, "result.attempts"),
        (#""purpose":"utility""#, #""purpose":"x""#, "result.purpose"),
        (#""finished_at":11500"#, #""finished_at":1.5"#, "result.finished_at"),
        (#""command_id":"c1","#, "", "result.command_id"),
        (#""name":"shop","#, "", "channel.name"),
    ])
    func malformedResultNamesTheMember(good: String, bad: String, member: String) throws {
        var record = OutboundCommandTests.stored(try result(.accepted, messageID: "wamid.1").record(topic: "results"))
        let text = String(decoding: record.value ?? [], as: UTF8.self)
        #expect(text.contains(good))
        record.value = Array(text.replacing(good, with: bad).utf8)
        #expect(throws: MalformedRecord(member)) { _ = try OutboundResult(record) }
    }
}
