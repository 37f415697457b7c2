import D360
import EventLog
import Processing
import ProcessorTesting
import Testing
import WhatsApp

@testable import outbound_sender

/// Commands of which nobody knows whether they were accepted.
@Suite struct DoubtTests {
    private static let lost = SendOutcome.unknown(.cut)

    private func scene(
        _ outcomes: [SendOutcome], hosting: Hosting = .cloud, unknown: UnknownPolicy? = nil
    ) -> (SenderScene, ScriptedSender) {
        let sender = ScriptedSender(outcomes)
        return (SenderScene(sender, hosting: hosting, unknown: unknown), sender)
    }

    @Test func everyAttemptIsMarkedBeforeItBegins() async throws {
        let (scene, sender) = scene([.accepted(try Sample.receipt())])
        _ = try await scene.results(try Sample.command())
        #expect(scene.marked == 1 && sender.sent.count == 1)
        #expect(scene.processor.open.count == 0, "nothing is kept of what has ended")
    }

    @Test func statusThatCarriesTheTagSaysAccepted() async throws {
        let (scene, sender) = scene([Self.lost])
        let command = try Sample.command()
        let failure = try #require(await scene.handle(command).failure)
        #expect(failure.isTransient && failure.errorClass == "unknown" && failure.effect == .unknown)
        let answer = try await scene.status(of: command, message: "wamid.7")
        #expect(answer.wakes == [Wake(key: Array(command.conversationKey.utf8))])
        let results = try await scene.results(command, .unknown)
        #expect(results.map(\.outcome) == [.accepted])
        #expect(results.map(\.messageID) == ["wamid.7"])
        #expect(results.map(\.resentAfterUnknown) == [0])
        #expect(results.map(\.attempts) == [1])
        #expect(sender.sent.count == 1)
        #expect(scene.processor.open.count == 0)
        #expect(try await scene.results(command).map(\.messageID) == ["wamid.7"], "and a copy gets the same result")
        #expect(sender.sent.count == 1)
    }

    @Test func silenceCountsOnlyWhileStatusesOfTheNumberCome() async throws {
        let (scene, sender) = scene([Self.lost, .accepted(try Sample.receipt("wamid.2"))])
        let command = try Sample.command(lifetime: .seconds(86_400))
        _ = await scene.handle(command)
        for _ in 0..<20 {
            scene.advance(.seconds(300))
            #expect(await scene.handle(command, .unknown).failure?.errorClass == "unknown")
        }
        try await scene.flow(.seconds(60))
        #expect(await scene.handle(command, .unknown).failure?.errorClass == "unknown")
        #expect(sender.sent.count == 1)
        try await scene.flow(.seconds(61))
        let results = try await scene.results(command, .unknown)
        #expect(results.map(\.messageID) == ["wamid.2"])
        #expect(results.map(\.resentAfterUnknown) == [1])
        #expect(results.map(\.attempts) == [2])
        #expect(sender.sent.count == 2 && scene.marked == 2, "also the second attempt is marked")
    }

    /// Webhooks are ten minutes behind: what arrives is about messages accepted before.
    @Test func lateStatusesOfEarlierMessagesProveNothing() async throws {
        let (scene, sender) = scene([Self.lost, .accepted(try Sample.receipt())])
        let command = try Sample.command(lifetime: .seconds(86_400))
        _ = await scene.handle(command)
        try await scene.flow(.seconds(600), late: .seconds(600))
        #expect(await scene.handle(command, .unknown).failure?.isTransient == true)
        #expect(sender.sent.count == 1)
        try await scene.flow(.seconds(130), late: .seconds(600))
        #expect(try await scene.results(command, .unknown).map(\.outcome) == [.accepted])
        #expect(sender.sent.count == 2)
    }

    @Test func statusesOfMessagesThatOthersSentProveNothing() async throws {
        let (scene, sender) = scene([Self.lost])
        let command = try Sample.command(lifetime: .seconds(86_400))
        _ = await scene.handle(command)
        for _ in 0..<600 {
            scene.advance(.seconds(1))
            try await scene.status(of: nil)
        }
        #expect(await scene.handle(command, .unknown).failure?.isTransient == true)
        #expect(sender.sent.count == 1)
    }

    /// The limiter's turn and the mark take time, in which the status comes after all.
    @Test func statusThatComesBetweenTheDecisionAndTheRequestIsHeeded() async throws {
        let (scene, sender) = scene([Self.lost])
        let command = try Sample.command()
        _ = await scene.handle(command)
        try await scene.flow(.seconds(130))
        let record = try Sample.status("sent", of: command, message: "wamid.6", at: scene.now)
        let context = scene.context(.unknown) { try await scene.archive.store(record) }
        let outputs = try await scene.processor.handle(Sample.record(command), context)
        let results = try Sample.results(outputs)
        #expect(results.map(\.messageID) == ["wamid.6"] && results.map(\.resentAfterUnknown) == [0])
        #expect(sender.sent.count == 1)
    }

    @Test func nothingIsSentAgainBeforeTheArchiveIsAskedUpToItsEnd() async throws {
        let (scene, sender) = scene([Self.lost])
        let command = try Sample.command()
        _ = await scene.handle(command)
        try await scene.flow(.seconds(130))
        // On the log, and for whatever reason not handled here.
        try await scene.archive.store(try Sample.status("sent", of: command, message: "wamid.9", at: scene.now))
        #expect(try await scene.results(command, .unknown).map(\.messageID) == ["wamid.9"])
        #expect(sender.sent.count == 1)
    }

    @Test func successorFindsWhatTheDeadOwnerHadConsumed() async throws {
        let (dead, sender) = scene([Self.lost])
        let command = try Sample.command()
        _ = await dead.handle(command)
        try await dead.status(of: command, message: "wamid.5")
        let heir = SenderScene(sender, archive: dead.archive)
        #expect(try await heir.results(command, .unknown).map(\.messageID) == ["wamid.5"])
        #expect(sender.sent.count == 1)
    }

    @Test func successorWithoutEvidenceWaitsFromItsOwnStart() async throws {
        let (scene, sender) = scene([.accepted(try Sample.receipt())])
        let command = try Sample.command()
        #expect(await scene.handle(command, .unknown).failure?.errorClass == "unknown")
        #expect(await scene.archive.asked == [command.id])
        try await scene.flow(.seconds(100))
        #expect(await scene.handle(command, .unknown).failure?.errorClass == "unknown")
        #expect(sender.sent.isEmpty)
        try await scene.flow(.seconds(30))
        #expect(try await scene.results(command, .unknown).map(\.resentAfterUnknown) == [1])
        #expect(sender.sent.count == 1)
    }

    /// Somebody else may have sent it again while the partition was theirs.
    @Test func whatWasKnownBeforeAPartitionWasLostIsNotBelieved() async throws {
        let (scene, sender) = scene([Self.lost])
        let command = try Sample.command()
        _ = await scene.handle(command)
        try await scene.flow(.seconds(300))
        scene.processor.partitionsChanged([], of: 1)
        scene.processor.partitionsChanged([0], of: 1)
        #expect(await scene.handle(command, .unknown).failure?.errorClass == "unknown")
        #expect(sender.sent.count == 1)
    }

    @Test func answerThatTookTheRuntimeTooLongIsInDoubtToo() async throws {
        let (scene, sender) = scene([Self.lost])
        let command = try Sample.command()
        let handling = scene.processor.open.open(
            command.id, command.conversationKey, in: 0, begun: BegunEffects(), isUnknown: false, now: scene.now, flow: .zero)
        handling.begins(at: scene.now)
        // Its handler was given up, and its status comes before it is handled again.
        let answer = try await scene.status(of: command, message: "wamid.3")
        #expect(answer.wakes.count == 1)
        #expect(try await scene.results(command, .unknown).map(\.messageID) == ["wamid.3"])
        #expect(sender.sent.isEmpty)
    }

    @Test func refusalAfterTheResendIsNotANewDoubt() async throws {
        let limit = ClassifiedError(code: 130_429, errorClass: .retry, scope: .number, meaning: "limit")
        let (scene, sender) = scene([Self.lost, .retry(limit), .accepted(try Sample.receipt("wamid.4"))])
        let command = try Sample.command()
        _ = await scene.handle(command)
        try await scene.flow(.seconds(130))
        let failure = try #require(await scene.handle(command, .unknown).failure)
        #expect(failure.errorClass == "130429")
        #expect(failure.effect == .unknown, "of the first attempt nobody knows to this day")
        // A late status still counts.
        let results = try await scene.results(command, .unknown)
        #expect(results.map(\.resentAfterUnknown) == [1] && results.map(\.messageID) == ["wamid.4"])
        #expect(sender.sent.count == 3)
    }

    @Test func lateStatusSparesAnotherAttempt() async throws {
        let limit = ClassifiedError(code: 130_429, errorClass: .retry, scope: .number, meaning: "limit")
        let (scene, sender) = scene([Self.lost, .retry(limit)])
        let command = try Sample.command()
        _ = await scene.handle(command)
        try await scene.flow(.seconds(130))
        _ = await scene.handle(command, .unknown)
        try await scene.status(of: command, message: "wamid.8")
        #expect(try await scene.results(command, .unknown).map(\.messageID) == ["wamid.8"])
        #expect(sender.sent.count == 2)
    }

    @Test func channelMayPreferToGiveUp() async throws {
        let (scene, sender) = scene([Self.lost], unknown: .deadLetter)
        let command = try Sample.command()
        #expect(await scene.handle(command).failure?.isTransient == true, "a status may still tell")
        try await scene.flow(.seconds(130))
        let failure = try #require(await scene.handle(command, .unknown).failure)
        #expect(!failure.isTransient && failure.disposition == .unknown)
        #expect(try await scene.buried(command, failure, .unknown).outcome == .unknown)
        #expect(sender.sent.count == 1)
    }

    @Test func onPremiseNothingWouldEverTell() async throws {
        let (scene, _) = scene([.unknown(.noMessageID)], hosting: .onPremise)
        let command = try Sample.command(hosting: .onPremise)
        let failure = try #require(await scene.handle(command).failure)
        #expect(!failure.isTransient && failure.disposition == .unknown)
        let result = try await scene.buried(command, failure)
        #expect(result.outcome == .unknown)
        #expect(result.error?.message.contains("no-message-id") == true)
        // The same after a take-over.
        let (heir, sender) = self.scene([.accepted(try Sample.receipt())], hosting: .onPremise)
        #expect(await heir.handle(command, .unknown).failure?.disposition == .unknown)
        #expect(sender.sent.isEmpty)
    }

    @Test func onPremiseMayBeToldToSendAgainAfterTheWait() async throws {
        let (scene, sender) = scene(
            [Self.lost, .accepted(try Sample.receipt())], hosting: .onPremise, unknown: .resend)
        let command = try Sample.command(hosting: .onPremise)
        #expect(await scene.handle(command).failure?.isTransient == true)
        scene.advance(.seconds(119))
        #expect(await scene.handle(command, .unknown).failure?.isTransient == true)
        #expect(sender.sent.count == 1)
        // Making the first request took some time, too.
        scene.advance(.seconds(60))
        #expect(try await scene.results(command, .unknown).map(\.resentAfterUnknown) == [1])
    }

    @Test func commandThatExpiresInDoubtEndsAsUnknown() async throws {
        let (scene, sender) = scene([Self.lost])
        let command = try Sample.command(lifetime: .seconds(60))
        let failure = try #require(await scene.handle(command).failure)
        #expect(try #require(failure.retryAfter) <= .seconds(60), "it is looked at when it expires")
        scene.advance(.seconds(60))
        let last = try #require(await scene.handle(command, .unknown).failure)
        #expect(!last.isTransient)
        #expect(try await scene.buried(command, last, .unknown).outcome == .unknown)
        #expect(sender.sent.count == 1)
    }

    @Test func operatorWhoDropsItIsToldThatNobodyKnows() async throws {
        let (scene, _) = scene([Self.lost])
        let command = try Sample.command()
        _ = await scene.handle(command)
        let dropped = HandlerFailure.permanent("operator", "dropped by an operator")
        #expect(try await scene.buried(command, dropped, .unknown).outcome == .unknown)
        #expect(scene.processor.open.count == 0)
    }

    @Test func markOfAReadMessageIsNeitherMarkedNorInDoubt() async throws {
        let (scene, sender) = scene([Self.lost])
        var command = try Sample.command()
        command.message = try JSON(parsing: Array(#"{"status":"read","message_id":"wamid.in"}"#.utf8))
        let failure = try #require(await scene.handle(command).failure)
        #expect(failure.isTransient && failure.errorClass == "unanswered" && failure.effect == .none)
        #expect(scene.marked == 0 && sender.sent.count == 1)
    }

    private static let template = #"{"type":"template","template":{"name":"t","language":{"code":"de"}}}"#

    @Test func failedStatusOfALostAnswerBringsTheFallbackAsACommandOfItsOwn() async throws {
        let (scene, sender) = scene([Self.lost])
        let command = try Sample.command(fallback: Self.template)
        _ = await scene.handle(command)
        try await scene.status("failed", of: command, code: 131_047)
        let outputs = await scene.handle(command, .unknown).outputs
        #expect(outputs.map(\.topic) == [Sample.topics.outboundResults, Sample.topics.outbound])
        let result = try OutboundResult(StoredRecord(outputs[0], at: scene.now))
        #expect(result.outcome == .rejected && result.error?.code == 131_047)
        let fallback = try OutboundCommand(StoredRecord(outputs[1], at: scene.now))
        #expect(fallback.id != command.id && fallback.messageType == "template")
        #expect(fallback.causationID == command.id && fallback.conversationKey == command.conversationKey)
        #expect(sender.sent.count == 1)
    }

    @Test func failedStatusOfAnAcceptedMessageBringsTheFallbackOnce() async throws {
        let (scene, _) = scene([.accepted(try Sample.receipt("wamid.1"))])
        let command = try Sample.command(fallback: Self.template)
        var record = Sample.record(command)
        record.offset = 42
        await scene.archive.store(command: record)
        #expect(await scene.handle(record).failure == nil)
        let answers = [
            try await scene.status("failed", of: command, message: "wamid.1", code: 131_047),
            try await scene.status("failed", of: command, message: "wamid.1", code: 131_047),
        ]
        let commands = try answers.map { try OutboundCommand(StoredRecord(try #require($0.outputs.last), at: scene.now)) }
        #expect(Set(commands.map(\.id)).count == 1, "copies of a status give copies of one command")
        #expect(commands[0].messageType == "template" && commands[0].fallback == nil)
        let other = try await scene.status("failed", of: command, message: "wamid.1", code: 131_026)
        #expect(other.outputs.isEmpty)
        scene.advance(.seconds(3_600))
        #expect(try await scene.status("failed", of: command, code: 131_047).outputs.isEmpty, "too late for anything")
    }

    @Test func statusesOfOthersTellNothing() async throws {
        let (scene, _) = scene([Self.lost])
        let command = try Sample.command()
        _ = await scene.handle(command)
        for word in ["sent", "delivered", "failed"] {
            let answer = try await scene.status(word, of: nil)
            #expect(answer.wakes.isEmpty && answer.outputs.isEmpty)
        }
        let stranger = try Sample.command("somebody-else's")
        #expect(try await scene.status(of: stranger).wakes.isEmpty)
        #expect(await scene.handle(command, .unknown).failure?.errorClass == "unknown")
    }
}
