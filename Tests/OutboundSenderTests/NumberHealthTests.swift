import EventLog
import Testing

@testable import outbound_sender

@Suite struct NumberHealthTests {
    private let health = NumberHealth()
    private let start = Timestamp(seconds: 1_790_000_000)

    private func fail(
        _ conversation: String, _ second: Double, saysDown: Bool = false, seen: UInt64? = nil
    ) -> NumberHealth.Verdict {
        health.failed("700", conversation, saysDown: saysDown, seen: seen, at: start + .seconds(second))
    }

    @Test func plainFailureOfOneConversationIsItsOwn() {
        for second in 0..<100 { #expect(!fail("a", Double(second)).isDown) }
    }

    @Test func severalConversationsThatFailForASecondMeanDown() {
        #expect(!fail("a", 0).isDown)
        #expect(!fail("b", 0.9).isDown, "in one moment several may fail by chance")
        #expect(fail("b", 1).isDown)
        #expect(fail("a", 2).isDown)
        health.answered("701")
        #expect(fail("a", 3).isDown, "another number proves nothing")
        health.answered("700")
        #expect(!fail("a", 4).isDown, "the API takes messages of the number")
        #expect(!fail("a", 10).isDown)
    }

    @Test func answerThatSpeaksOfTheAPIIsBelievedUntilOthersAreTaken() {
        let first = fail("a", 0, saysDown: true)
        #expect(first.isDown)
        let second = fail("a", 10, saysDown: true, seen: first.seen)
        #expect(second.isDown, "nobody else was taken")
        health.answered("700")
        let third = fail("a", 20, saysDown: true, seen: second.seen)
        #expect(!third.isDown, "others were taken while this one failed")
        #expect(fail("b", 20, saysDown: true).isDown, "which says nothing of a failure that came later")
        #expect(fail("a", 30, saysDown: true, seen: third.seen).isDown)
    }
}
