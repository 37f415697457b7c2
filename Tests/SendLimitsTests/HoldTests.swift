import EventLogTesting
import Testing
import WhatsApp

@testable import SendLimits

@Suite struct HoldTests {
    @Test func heldNumberStopsAloneAndSendsItsWaitersAway() {
        var stand = Stand()
        let first = stand.ask("1")
        stand.run(until: .seconds(1))
        let waiting = (0..<5).map { _ in stand.ask("1", .bulk) }
        let other = stand.ask("2")
        stand.report(first, .failed(.code(131_042)))
        #expect(waiting.allSatisfy { stand.refused[$0] == SendRefusal(.held, retryAfter: .seconds(300)) || stand.went($0) })
        let late = stand.ask("1")
        #expect(stand.refused[late]?.reason == .held)
        stand.run(until: .seconds(2))
        #expect(stand.went(other))
    }

    @Test func holdEndsWithAProbeThatIsAccepted() {
        var stand = Stand()
        stand.expectSend("1", .failed(.code(190)))
        stand.run(until: stand.now + .seconds(300))
        let probe = stand.ask("1")
        let second = stand.ask("1")
        stand.run(until: stand.now + .seconds(5))
        #expect(stand.went(probe) && !stand.went(second), "one message tries, the others wait")
        stand.report(probe)
        stand.run(until: stand.now + .seconds(1))
        #expect(stand.went(second))
        #expect(stand.state.lanes["1"]?.hold == nil)
    }

    @Test func probeThatIsRefusedHoldsAgainAndOneWithoutAnAnswerMakesRoom() {
        var stand = Stand()
        stand.expectSend("1", .failed(.code(131_031)))
        stand.run(until: stand.now + .seconds(300))
        let probe = stand.ask("1")
        stand.run(until: stand.now + .seconds(1))
        let waiting = stand.ask("1")
        stand.report(probe, .noAnswer)
        stand.run(until: stand.now + .seconds(1))
        #expect(stand.went(waiting), "the next one is the probe now")
        stand.report(waiting, .failed(.code(131_031)))
        let late = stand.ask("1")
        #expect(stand.refused[late] == SendRefusal(.held, retryAfter: .seconds(300)))
    }

    @Test func holdThatAStatusToldEndsWithAStatusAndNotWithAnAcceptance() {
        var stand = Stand()
        stand.expectSend("1")
        stand.refuseLater("1", 131_042)
        let late = stand.ask("1")
        #expect(stand.refused[late] == SendRefusal(.held, retryAfter: .seconds(300)))
        #expect(stand.state.awaitsStatus("1"))
        stand.expectSend("2")
        stand.run(until: stand.now + .seconds(300))
        let probe = stand.ask("1")
        stand.run(until: stand.now + .seconds(1))
        stand.report(probe)
        let second = stand.ask("1")
        stand.run(until: stand.now + .seconds(10))
        #expect(stand.went(probe) && !stand.went(second), "the API accepts what is refused later")
        stand.arrive("1", acceptedAt: .zero)
        #expect(!stand.went(second), "of a message from before the hold")
        stand.arrive("1", acceptedAt: stand.now)
        #expect(stand.went(second) && !stand.state.awaitsStatus("1"))
    }

    @Test func probeWhoseStatusRefusesHoldsAgainAndOneWithoutAStatusMakesRoom() {
        var stand = Stand()
        stand.expectSend("1")
        stand.refuseLater("1", 131_042)
        stand.run(until: stand.now + .seconds(300))
        stand.expectSend("1")
        stand.run(until: stand.now + .seconds(50))
        let next = stand.ask("1")
        stand.run(until: stand.now + .seconds(15))
        #expect(stand.went(next), "a minute without a status: another one tries")
        stand.report(next)
        stand.refuseLater("1", 131_042)
        let late = stand.ask("1")
        #expect(stand.refused[late] == SendRefusal(.held, retryAfter: .seconds(300)))
    }

    @Test func statusCutsARateAndOneAboutTheMessageAloneChangesNothing() {
        var stand = Stand()
        stand.expectSend("1")
        stand.refuseLater("1", 131_026)
        stand.expectSend("1")
        #expect(stand.state.lanes["1"]?.rate.cut == nil)
        stand.refuseLater("1", 130_429)
        #expect(stand.state.lanes["1"]?.rate.cut != nil)
    }

    @Test func resumeByHandEndsAHold() {
        var stand = Stand()
        stand.expectSend("1", .failed(.code(131_048)))
        let held = stand.ask("1")
        #expect(stand.refused[held]?.retryAfter ?? .zero > .seconds(3_500), "quality: an hour")
        stand.note(stand.state.resume("1", at: stand.now))
        stand.expectSend("1")
    }

    @Test func acceptanceOfAMessageFromBeforeDoesNotEndAHold() {
        var stand = Stand()
        let ids = [stand.ask("1"), stand.ask("1")]
        stand.run(until: .seconds(1))
        stand.report(ids[0], .failed(.code(0)))
        stand.report(ids[1])
        #expect(stand.state.lanes["1"]?.hold != nil)
    }

    /// Refused for it, or taken with the word that it is the last.
    @Test(arguments: [SendReport.failed(.code(132_015)), .acceptedAndPaused])
    func pausedTemplateStopsAloneInItsAccount(report: SendReport) {
        var stand = Stand()
        let numbers = [("1", "a"), ("2", "a"), ("3", "b")].map { SendingNumber(id: $0.0, account: $0.1, rate: 80) }
        stand.note(stand.state.setNumbers(numbers, at: stand.now))
        stand.expectSend("1", template: "offer/en", report)
        let same = stand.ask("2", template: "offer/en")
        #expect(stand.refused[same]?.reason == .templatePaused)
        stand.expectSend("1", template: "offer/de")
        stand.expectSend("1")
        stand.expectSend("3", template: "offer/en")
        stand.run(until: stand.now + .seconds(3_600))
        stand.expectSend("2", template: "offer/en")
        #expect(stand.state.templates.isEmpty)
    }

    @Test func memoryOfTemplatesIsBounded() {
        var stand = Stand(SendLimitsConfiguration(maxTemplates: 10))
        for index in 0..<50 { stand.state.pauseTemplate("a/\(index)", at: .seconds(index)) }
        #expect(stand.state.templates.count == 10)
        #expect(stand.state.templates["a/49"] != nil)
    }

    @Test func errorsThatConcernTheirMessageAloneStopNobody() {
        for code in [100, 131_026, 131_047, 131_049, 130_472, 131_000] as [Int64] {
            #expect(LimitSignal(.code(code)) == nil, "\(code)")
        }
    }

    /// 360dialog's own limit comes as a 400 with a text, the on-premise client's as 429 or 1015.
    @Test func rateLimitsOfEveryShapeConcernTheNumber() {
        let bodies: [(Int, String, Hosting)] = [
            (400, #"{"error":"You have exceeded the limit of this endpoint"}"#, .cloud),
            (429, "", .cloud),
            (429, #"{"errors":[{"code":1015,"title":"Too many requests"}]}"#, .onPremise),
            (429, #"{"error":{"message":"(#130429) x","code":130429}}"#, .cloud),
        ]
        for (status, body, hosting) in bodies {
            let error = ErrorCatalogue.classify(httpStatus: status, body: Array(body.utf8), hosting: hosting)
            #expect(LimitSignal(error) == .numberRate, "\(body)")
        }
    }
}
