import D360
import EventLog
import Processing
import ProcessorTesting
import Testing
import WhatsApp

@testable import outbound_sender

@Suite struct OutboundSenderTests {
    /// What one attempt ends in, and the result that a dead letter of it would publish.
    private func failure(
        _ outcome: SendOutcome, hosting: Hosting = .cloud, command: OutboundCommand? = nil
    ) async throws -> (HandlerFailure, OutboundResult) {
        let scene = SenderScene(ScriptedSender([outcome]), hosting: hosting)
        let command = try command ?? Sample.command(hosting: hosting)
        let failure = try #require(await scene.handle(command).failure)
        return (failure, try await scene.buried(command, failure))
    }

    @Test func readsBothKindsOfCommands() {
        let processor = Sample.processor(ScriptedSender([]))
        #expect(Set(processor.inputs) == [Sample.topics.outbound, Sample.topics.outboundBulk])
        let topics = Sample.topics
        #expect(Set(processor.sideInputs) == [topics.statuses, topics.messages, topics.other, topics.consent])
        #expect(processor.effects == .marked)
        #expect(processor.name == "outbound-sender")
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

    @Test(arguments: [(130_429, 429), (80_007, 429), (131_056, 400), (131_057, 500)])
    func limitHoldsTheLineForAsLongAsItTakes(code: Int64, status: Int) async throws {
        let error = ErrorCatalogue.classify(
            httpStatus: status, body: Array(#"{"error":{"code":\#(code)}}"#.utf8), hosting: .cloud)
        let scene = SenderScene(ScriptedSender([.retry(error)]))
        let command = try Sample.command()
        let failure = try #require(await scene.handle(command).failure)
        #expect(failure.isTransient && failure.scope == nil)
        #expect(failure.effect == .none, "an answer says that nothing was sent")
        #expect(!failure.isCounted && failure.retryAfter != nil, "neither attempts nor age end it")
    }

    @Test func heldNumberHoldsItsOwnCommandsOnly() async throws {
        let held = ClassifiedError(code: 131_042, httpStatus: 400, errorClass: .hold, meaning: "no credit")
        let scene = SenderScene(ScriptedSender([.retry(held)]))
        let failure = try #require(await scene.handle(try Sample.command()).failure)
        #expect(failure.scope == .named("700"))
        #expect(failure.effect == .none)
        #expect(scene.processor.outageScope(of: Sample.record(try Sample.command())) == "700")
        #expect(scene.processor.limiter.snapshot().heldNumbers == ["700"])
        let next = try #require(await scene.handle(try Sample.command("c2")).failure)
        #expect(next.scope == .named("700"))
        #expect(next.errorClass == "held")
        #expect(scene.marked == 1, "the second one did not ask the API")
        #expect(scene.processor.deadline(of: Sample.record(try Sample.command())) == Sample.now + .seconds(3_600))
    }

    @Test(arguments: [
        SendOutcome.notSent(TransportError(.connect, .notSent, "refused")),
        .retry(ClassifiedError(httpStatus: 503, errorClass: .retry, meaning: "down")),
        .retry(ClassifiedError(code: 131_016, httpStatus: 500, errorClass: .retry, scope: .app, meaning: "down")),
    ]) func whatIsDownIsAnOutage(outcome: SendOutcome) async throws {
        #expect(try await failure(outcome).0.scope == .named("700"))
    }

    /// The runtime counts, also across owners: see `TakeOverTests`.
    @Test(arguments: [
        ClassifiedError(httpStatus: 500, errorClass: .retry, meaning: "down"),
        ClassifiedError(code: 132_069, errorClass: .retry, scope: .template, meaning: "throttled"),
    ])
    func passingTroubleOfOneMessageLeavesTheLineAfterAMinute(error: ClassifiedError) async throws {
        let scene = SenderScene(ScriptedSender([.retry(error)]))
        let command = try Sample.command()
        let failure = try #require(await scene.handle(command).failure)
        #expect(failure.isTransient && failure.isCounted && failure.scope == nil && failure.disposition == .maxAttempts)
        #expect(failure.begun == BegunEffects(count: 1, first: failure.begun?.first))
        let policy = try #require(failure.schedule)
        func isLast(after age: Duration) -> Bool {
            policy.givesUp(failure, afterAttempts: 2, failingSince: Sample.now, now: Sample.now + age, delay: .zero)
        }
        #expect(!isLast(after: .seconds(60)) && isLast(after: .seconds(61)))
        let result = try await scene.buried(command, failure)
        #expect(result.outcome == .rejected && result.attempts == 1)
    }

    /// Also codes about calls, flows and usernames, which say nothing of the number.
    @Test(arguments: [131_000, 138_001, 139_002, 147_000, 424_242] as [Int64])
    func vagueErrorsAreTriedThreeTimesAndHoldNobodyElse(code: Int64) async throws {
        let error = ErrorCatalogue.classify(
            httpStatus: 400, body: Array(#"{"error":{"code":\#(code)}}"#.utf8), hosting: .cloud)
        let scene = SenderScene(ScriptedSender([.retry(error)]))
        let command = try Sample.command()
        let last = try #require(await scene.handle(command).failure)
        #expect(last.isTransient && last.scope == nil && last.schedule?.maxAttempts == 3)
        #expect(scene.processor.limiter.snapshot().heldNumbers.isEmpty)
        #expect(await scene.handle(command).failure != nil)
        #expect(await scene.handle(command).failure != nil)
        let result = try await scene.buried(command, last)
        #expect(result.outcome == .rejected)
        #expect(result.attempts == 3)
        #expect(scene.processor.open.count == 0)
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
        let outputs = try await tester.feed(queued, at: Sample.now)
        #expect(outputs.map(\.topic).contains(Sample.topics.consent), "readers are told")
        let results = try Sample.results(outputs.filter { $0.topic != Sample.topics.consent })
        #expect(results.map(\.outcome) == [.rejected, .rejected])
        #expect(results.map(\.error?.errorClass) == ["suppressed", "suppressed"])
        #expect(results.map(\.error?.code) == [131050, nil])
        #expect(results.map(\.attempts) == [1, 0])
        #expect(sender.sent == ["c1"])
        _ = try await tester.feed([Sample.record(try Sample.command("c3", purpose: .utility))], at: Sample.now)
        #expect(sender.sent == ["c1", "c3"])
    }
}
