import EventLog
import Processing
import ProcessorTesting
import Testing
import WhatsApp

@testable import outbound_sender

@Suite struct MalformedCommandTests {
    /// Whoever asked gets a result that names the member, as soon as it is known who that is.
    @Test(arguments: [
        (#""message":{"type":"text","text":{"body":"Hi"}}"#, #""message":{"type":"text"}"#, "command.message"),
        (#""message":{"type":"text","text":{"body":"Hi"}}"#, #""message":"15550001111""#, "command.message"),
        (#""purpose":"reply""#, #""purpose":"15550001111""#, "command.purpose"),
        (#""hosting":"cloud""#, #""hosting":"15550001111""#, "channel.hosting"),
        (#""expires_at""#, #""expired""#, "command.expires_at"), (#"{"channel""#, "15550001111", "value"),
    ])
    func malformedCommandHasAResultAndADeadLetter(good: String, bad: String, member: String) async throws {
        let processor = Sample.processor(ScriptedSender([]))
        var record = Sample.record(try Sample.command())
        let text = String(decoding: record.value ?? [], as: UTF8.self)
        #expect(text.contains(good))
        record.value = Array(text.replacing(good, with: bad).utf8)
        let context = ProcessorTester(processor).context(for: record, at: Sample.now)
        let failure = try #require(
            await #expect(throws: HandlerFailure.self) { _ = try await processor.handle(record, context) })
        #expect(!failure.isTransient)
        #expect(failure.disposition == .deserialization)
        #expect(failure.message.contains(member) && !failure.message.contains("15550001111"))
        let result = try #require(try Sample.results(await processor.deadLettered(record, failure, context)).first)
        #expect(result.commandID == "c1" && result.outcome == .rejected && result.attempts == 0)
        #expect(result.conversationKey == "700:15550001111")
        #expect(result.error?.errorClass == "malformed" && result.error?.message == failure.message)
    }

    @Test func recordThatIsNobodysCommandHasADeadLetterAlone() async throws {
        let processor = Sample.processor(ScriptedSender([]))
        var record = Sample.record(try Sample.command())
        (record.headers, record.value) = (Headers(), Array("{}".utf8))
        let context = ProcessorTester(processor).context(for: record, at: Sample.now)
        let failure = try #require(
            await #expect(throws: HandlerFailure.self) { _ = try await processor.handle(record, context) })
        #expect(await processor.deadLettered(record, failure, context).isEmpty)
    }
}
