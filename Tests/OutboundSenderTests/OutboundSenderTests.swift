import D360
import EventLog
import Processing
import ProcessorTesting
import Synchronization
import Testing
import WhatsApp

@testable import outbound_sender

/// A sender that answers what it is told and notes what it was asked for.
final class ScriptedSender: CommandSender {
    private let outcomes: Mutex<[SendOutcome]>
    private let commands = Mutex<[OutboundCommand]>([])

    init(_ outcomes: [SendOutcome]) { self.outcomes = Mutex(outcomes) }

    var sent: [String] { commands.withLock { $0.map(\.id) } }
    var types: [String?] { commands.withLock { $0.map(\.messageType) } }

    func send(_ command: OutboundCommand, to endpoint: ChannelEndpoint) async -> SendOutcome {
        commands.withLock { $0.append(command) }
        return outcomes.withLock { $0.count > 1 ? $0.removeFirst() : $0[0] }
    }
}

enum Sample {
    static let topics = Topics()
    static let now = Timestamp(seconds: 1_790_000_000)

    static func receipt(_ id: String = "wamid.1") throws -> SendReceipt {
        try #require(SendReceipt(Array(#"{"messages":[{"id":"\#(id)"}]}"#.utf8)))
    }

    static func command(
        _ id: String = "c1", hosting: Hosting = .cloud, number: String? = "700", name: String = "shop",
        lifetime: Duration = .seconds(3_600), purpose: OutboundCommand.Purpose = .reply, fallback: String? = nil,
        windowEndsAt: Timestamp? = nil, text: String = "Hi"
    ) throws -> OutboundCommand {
        OutboundCommand(
            channel: ChannelIdentity(name: name, hosting: hosting, wabaID: "900", phoneNumberID: number), id: id,
            purpose: purpose, recipient: .to("15550001111"), conversationKey: "700:15550001111",
            message: try JSON(parsing: Array(#"{"type":"text","text":{"body":"\#(text)"}}"#.utf8)),
            fallback: try fallback.map { try JSON(parsing: Array($0.utf8)) }, expiresAt: now + lifetime,
            windowEndsAt: windowEndsAt, requestedAt: now, correlationID: "root", causationID: "cause",
            traceparent: "00-1")
    }

    static func record(_ command: OutboundCommand) -> StoredRecord {
        StoredRecord(command.record(topic: topics.outbound), at: now)
    }

    static func processor(
        _ sender: any CommandSender, hosting: Hosting = .cloud, baseURL: String = "http://127.0.0.1:9"
    ) -> OutboundSenderProcessor {
        let endpoint = ChannelEndpoint(baseURL: baseURL, hosting: hosting, apiKey: APIKey("k"))
        let identity = ChannelIdentity(name: "shop", hosting: hosting, phoneNumberID: "700")
        return OutboundSenderProcessor(
            topics: topics, sender: sender, channels: ChannelDirectory([(identity: identity, endpoint: endpoint)]))
    }

    static func results(_ records: [Record]) throws -> [OutboundResult] {
        try records.map { record in
            #expect(record.topic == topics.outboundResults)
            return try OutboundResult(StoredRecord(record, at: now))
        }
    }
}

@Suite struct OutboundSenderTests {
    /// What one attempt ends in, and the result that a dead letter of it would publish.
    private func failure(
        _ outcome: SendOutcome, attempt: Int = 1, hosting: Hosting = .cloud, command: OutboundCommand? = nil
    ) async throws -> (HandlerFailure, OutboundResult) {
        let processor = Sample.processor(ScriptedSender([outcome]), hosting: hosting)
        let tester = ProcessorTester(processor)
        let record = Sample.record(try command ?? Sample.command(hosting: hosting))
        let context = tester.context(for: record, attempt: attempt, at: Sample.now)
        let failure = try #require(
            await #expect(throws: HandlerFailure.self) { _ = try await processor.handle(record, context) })
        let results = try Sample.results(await processor.deadLettered(record, failure, context))
        return (failure, try #require(results.first))
    }

    @Test func readsBothKindsOfCommands() {
        let processor = Sample.processor(ScriptedSender([]))
        #expect(Set(processor.inputs) == [Sample.topics.outbound, Sample.topics.outboundBulk])
        #expect(processor.group == "millrace.outbound-sender")
    }

    @Test func acceptedCommandGivesItsResult() async throws {
        let sender = ScriptedSender([.accepted(try Sample.receipt())])
        let outputs = try await ProcessorTester(Sample.processor(sender))
            .feed([Sample.record(try Sample.command())], at: Sample.now)
        let result = try #require(try Sample.results(outputs).first)
        #expect(outputs.count == 1)
        #expect(result.outcome == .accepted)
        #expect(result.messageID == "wamid.1")
        #expect(result.commandID == "c1")
        #expect(result.attempts == 1)
        #expect(result.finishedAt >= result.firstAttemptAt)
        let event = try CloudEvent(outputs[0].headers)
        #expect(event.causationID == "c1")
        #expect(event.correlationID == "root")
        #expect(event.traceparent == "00-1")
        #expect(outputs[0].key == Array("700:15550001111".utf8))
    }

    @Test func copyOfASentCommandRepeatsTheResultWithoutSending() async throws {
        let receipts = [try Sample.receipt("wamid.1"), try Sample.receipt("wamid.2")]
        let sender = ScriptedSender(receipts.map { .accepted($0) })
        let tester = ProcessorTester(Sample.processor(sender))
        let record = Sample.record(try Sample.command())
        let first = try await tester.feed([record], at: Sample.now)
        // Also after expiry: the command was sent in time.
        let again = try await tester.feed([record], at: Sample.now + .seconds(7_200))
        #expect(first == again)
        #expect(sender.sent == ["c1"])
        _ = try await tester.feed([Sample.record(try Sample.command("c2"))], at: Sample.now)
        #expect(sender.sent == ["c1", "c2"])
    }

    @Test func failedCommandIsSentAgain() async throws {
        let refused = SendOutcome.notSent(TransportError(.connect, .notSent, "refused"))
        let sender = ScriptedSender([refused, .accepted(try Sample.receipt())])
        let tester = ProcessorTester(Sample.processor(sender))
        let record = Sample.record(try Sample.command())
        await #expect(throws: HandlerFailure.self) { try await tester.feed([record], at: Sample.now) }
        #expect(try await tester.feed([record], at: Sample.now).count == 1)
        #expect(sender.sent == ["c1", "c1"])
    }

    @Test func expiredCommandIsNotSent() async throws {
        let sender = ScriptedSender([.accepted(try Sample.receipt())])
        let processor = Sample.processor(sender)
        let tester = ProcessorTester(processor)
        let record = Sample.record(try Sample.command(lifetime: .seconds(5)))
        let context = tester.context(for: record, at: Sample.now + .seconds(5))
        let failure = try #require(
            await #expect(throws: HandlerFailure.self) { _ = try await processor.handle(record, context) })
        #expect(!failure.isTransient)
        #expect(failure.disposition == .expired)
        let result = try #require(try Sample.results(await processor.deadLettered(record, failure, context)).first)
        #expect(result.outcome == .expired)
        #expect(sender.sent.isEmpty)
    }

    @Test func malformedCommandIsDeadLetteredWithoutAResult() async throws {
        let processor = Sample.processor(ScriptedSender([]))
        var record = Sample.record(try Sample.command())
        record.value = Array(#"{"command":"15550001111"}"#.utf8)
        let context = ProcessorTester(processor).context(for: record, at: Sample.now)
        let failure = try #require(
            await #expect(throws: HandlerFailure.self) { _ = try await processor.handle(record, context) })
        #expect(!failure.isTransient)
        #expect(failure.disposition == .deserialization)
        #expect(failure.message.contains("command") && !failure.message.contains("15550001111"))
        #expect(await processor.deadLettered(record, failure, context).isEmpty)
    }

    @Test(arguments: [ErrorClass.permanent, .template, .marketing])
    func refusedMessageIsRejected(errorClass: ErrorClass) async throws {
        let error = ClassifiedError(
            code: 131047, httpStatus: 400, errorClass: errorClass, meaning: "outside the window", detail: "24 hours")
        let (failure, result) = try await failure(.rejected(error))
        #expect(!failure.isTransient)
        #expect(failure.disposition == .rejected)
        #expect(failure.errorClass == "131047")
        #expect(result.outcome == .rejected)
        #expect(result.error?.code == 131047)
        #expect(result.error?.httpStatus == 400)
        #expect(result.error?.errorClass == errorClass.rawValue)
        #expect(result.error?.message == "outside the window: 24 hours")
    }

    @Test func waitsAsLongAsTheOtherSideAsks() async throws {
        let limit = ClassifiedError(errorClass: .retry, meaning: "limit", retryAfter: .seconds(7))
        #expect(try await failure(.retry(limit)).0.retryAfter == .seconds(7))
        let plain = ClassifiedError(errorClass: .retry, meaning: "down")
        let (failure, _) = try await failure(.retry(plain))
        #expect(failure.isTransient)
        #expect(failure.retryAfter == nil, "the backoff decides")
    }

    @Test(arguments: [(1, 1), (2, 4), (3, 16), (4, 64), (6, 1_024), (20, 1_024)])
    func pairLimitWaitsByPowersOfFour(attempt: Int, seconds: Int64) async throws {
        let error = ClassifiedError(code: 131056, errorClass: .retryRecipient, meaning: "pair limit")
        let (failure, _) = try await failure(.retry(error), attempt: attempt)
        #expect(failure.isTransient)
        #expect(failure.retryAfter == .seconds(seconds))
    }

    @Test func heldNumberWaitsLong() async throws {
        let (failure, result) = try await failure(.retry(ClassifiedError(errorClass: .hold, meaning: "no credit")))
        #expect(failure.isTransient)
        #expect(failure.retryAfter == .seconds(300))
        #expect(result.outcome == .rejected, "what ends after many attempts was not sent")
    }

    @Test func vagueErrorsAreTriedThreeTimes() async throws {
        let error = ClassifiedError(code: 131000, errorClass: .retryFew, meaning: "something went wrong")
        #expect(try await failure(.retry(error), attempt: 2).0.isTransient)
        let (last, result) = try await failure(.retry(error), attempt: 3)
        #expect(!last.isTransient)
        #expect(result.outcome == .rejected)
        #expect(result.attempts == 3)
    }

    @Test func unknownOutcomeOnCloudIsRetriedAfterAWait() async throws {
        let (failure, result) = try await failure(.unknown(.timeout))
        #expect(failure.isTransient)
        #expect(failure.retryAfter == .seconds(120))
        #expect(result.outcome == .unknown, "when attempts end, nobody knows")
    }

    @Test func unknownOutcomeThatExpiresBeforeTheNextAttemptIsFinal() async throws {
        let command = try Sample.command(lifetime: .seconds(120))
        let (failure, result) = try await failure(.unknown(.cut), command: command)
        #expect(!failure.isTransient)
        #expect(failure.disposition == .unknown)
        #expect(result.outcome == .unknown)
    }

    @Test func unknownOutcomeOnPremiseIsFinal() async throws {
        let (failure, result) = try await failure(.unknown(.noMessageID), hosting: .onPremise)
        #expect(!failure.isTransient)
        #expect(failure.disposition == .unknown)
        #expect(result.outcome == .unknown)
        #expect(result.error?.message.contains("no-message-id") == true)
    }

    @Test func commandOfAnUnknownChannelWaits() async throws {
        let sender = ScriptedSender([.accepted(try Sample.receipt())])
        let tester = ProcessorTester(Sample.processor(sender))
        let other = Sample.record(try Sample.command(number: "701"))
        let failure = await #expect(throws: HandlerFailure.self) { try await tester.feed([other], at: Sample.now) }
        #expect(failure?.isTransient == true)
        #expect(failure?.errorClass == "unknown-channel")
        #expect(sender.sent.isEmpty, "another number of the same webhook must not send it")
        _ = try await tester.feed([Sample.record(try Sample.command(number: nil))], at: Sample.now)
        #expect(sender.sent == ["c1"], "without a number the name decides")
    }

    @Test func commandThatBreaksARuleIsNotSent() async throws {
        let sender = ScriptedSender([.accepted(try Sample.receipt())])
        let processor = Sample.processor(sender)
        let record = Sample.record(try Sample.command(text: ""))
        let context = ProcessorTester(processor).context(for: record, at: Sample.now)
        let failure = try #require(
            await #expect(throws: HandlerFailure.self) { _ = try await processor.handle(record, context) })
        #expect(!failure.isTransient)
        #expect(failure.disposition == .rejected)
        #expect(failure.errorClass == "invalid")
        #expect(failure.message == "message.text.body: must be text of 1 to 4096 characters")
        #expect(try Sample.results(await processor.deadLettered(record, failure, context)).first?.outcome == .rejected)
        #expect(sender.sent.isEmpty)
    }

    private static let template = #"{"type":"template","template":{"name":"t","language":{"code":"de"}}}"#
    private static let closed = [131047, 470].map {
        SendOutcome.rejected(ClassifiedError(code: $0, errorClass: .permanent, meaning: "outside the window"))
    }

    @Test(arguments: closed) func fallbackFollowsAClosedWindowOnceUnderTheSameID(answer: SendOutcome) async throws {
        let sender = ScriptedSender([answer, .accepted(try Sample.receipt())])
        let tester = ProcessorTester(Sample.processor(sender))
        let record = Sample.record(try Sample.command(fallback: Self.template))
        let outputs = try await tester.feed([record, record], at: Sample.now)
        #expect(sender.sent == ["c1", "c1"])
        #expect(sender.types == ["text", "template"])
        let results = try Sample.results(outputs)
        #expect(results.map(\.usedFallback) == [true, true])
        #expect(results.map(\.outcome) == [.accepted, .accepted])
    }

    @Test func refusedFallbackIsTheEnd() async throws {
        let sender = ScriptedSender(Self.closed)
        let tester = ProcessorTester(Sample.processor(sender))
        let record = Sample.record(try Sample.command(fallback: Self.template))
        let failure = await #expect(throws: HandlerFailure.self) { try await tester.feed([record], at: Sample.now) }
        #expect(failure?.isTransient == false)
        #expect(sender.types == ["text", "template"])
    }

    @Test func knownClosedWindowBlocksTheMessageOrSendsTheFallbackAtOnce() async throws {
        let sender = ScriptedSender([.accepted(try Sample.receipt())])
        let tester = ProcessorTester(Sample.processor(sender))
        let bare = Sample.record(try Sample.command("c1", windowEndsAt: Sample.now))
        let failure = await #expect(throws: HandlerFailure.self) { try await tester.feed([bare], at: Sample.now) }
        #expect(failure?.errorClass == "window-closed")
        #expect(failure?.isTransient == false)
        #expect(sender.sent.isEmpty)
        let prepared = Sample.record(try Sample.command("c2", fallback: Self.template, windowEndsAt: Sample.now))
        let results = try Sample.results(try await tester.feed([prepared], at: Sample.now))
        #expect(results.map(\.usedFallback) == [true])
        #expect(sender.types == ["template"])
        let open = Sample.record(
            try Sample.command("c3", fallback: Self.template, windowEndsAt: Sample.now + .seconds(1)))
        #expect(try Sample.results(try await tester.feed([open], at: Sample.now)).map(\.usedFallback) == [false])
    }

    @Test func otherContentUnderAnUsedIDIsRefused() async throws {
        let sender = ScriptedSender([.accepted(try Sample.receipt())])
        let tester = ProcessorTester(Sample.processor(sender))
        _ = try await tester.feed([Sample.record(try Sample.command())], at: Sample.now)
        let second = Sample.record(try Sample.command(text: "Bye"))
        let failure = await #expect(throws: HandlerFailure.self) { try await tester.feed([second], at: Sample.now) }
        #expect(failure?.errorClass == "conflict")
        #expect(failure?.isTransient == false)
        #expect(sender.sent == ["c1"])
    }

    @Test func answerThatMarketingIsStoppedHoldsForQueuedMarketingOnly() async throws {
        let stopped = ClassifiedError(code: 131050, httpStatus: 400, errorClass: .marketing, meaning: "stopped")
        let sender = ScriptedSender([.rejected(stopped), .accepted(try Sample.receipt())])
        let tester = ProcessorTester(Sample.processor(sender))
        let queued = try ["c1", "c2"].map { Sample.record(try Sample.command($0, purpose: .marketing)) }
        let results = try Sample.results(try await tester.feed(queued, at: Sample.now))
        #expect(results.map(\.outcome) == [.rejected, .rejected])
        #expect(results.map(\.error?.errorClass) == ["suppressed", "suppressed"])
        #expect(results.map(\.error?.code) == [131050, nil])
        #expect(results.map(\.attempts) == [1, 0])
        #expect(sender.sent == ["c1"])
        _ = try await tester.feed([Sample.record(try Sample.command("c3", purpose: .utility))], at: Sample.now)
        #expect(sender.sent == ["c1", "c3"])
    }
}
