import EventLog
import Testing
import WhatsApp

@Suite struct MessageStateTests {
    private func entry(_ word: String, _ second: Int64, _ error: String? = nil, by participant: String? = nil) -> MessageState.Entry {
        MessageState.Entry(word: word, at: Timestamp(seconds: second), participant: participant, errorCode: error)
    }

    @Test func anyOrderAndAnyCopiesGiveTheSameState() {
        let entries = [
            entry("accepted", 1), entry("sent", 2), entry("delivered", 2), entry("read", 2), entry("failed", 3, "131026"),
            entry("warning", 4), entry("delivered", 5, by: "a"), entry("delivered", 6, by: "b"),
        ]
        var ordered = MessageState(messageID: "m")
        for entry in entries { ordered.add(entry) }
        var random = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            var shuffled = MessageState(messageID: "m")
            for entry in (entries + entries).shuffled(using: &random) { shuffled.add(entry) }
            #expect(shuffled == ordered)
            var left = MessageState(messageID: "m")
            var right = MessageState(messageID: "m")
            for entry in entries { if Bool.random() { left.add(entry) } else { right.add(entry) } }
            left.merge(right)
            #expect(left == ordered)
        }
    }

    @Test func aStatusNeverGoesBackwards() {
        var state = MessageState(messageID: "m")
        state.add(entry("read", 10))
        #expect(state.summary == "read")
        state.add(entry("sent", 20))
        state.add(entry("delivered", 30))
        #expect(state.summary == "read")
        state.add(entry("played", 5))
        #expect(state.summary == "played")
    }

    @Test func failedStandsBesideTheLadder() {
        var state = MessageState(messageID: "m")
        state.add(entry("sent", 1))
        state.add(entry("failed", 2, "131026"))
        #expect(state.summary == "failed")
        state.add(entry("delivered", 3))
        #expect(state.summary == "delivered")
        #expect(state.failure?.errorCode == "131026")
    }

    @Test func unknownWordsAreKeptAndRankNothing() {
        var state = MessageState(messageID: "m")
        state.add(entry("teleported", 9))
        #expect(state.summary == "teleported")
        state.add(entry("sent", 1))
        #expect(state.summary == "sent")
        #expect(state.timeline.map(\.word) == ["sent", "teleported"])
    }

    @Test func aStateSurvivesItsEncoding() {
        var state = MessageState(messageID: "wamid.\"x\"", commandID: "c", conversation: "7:1", purpose: "reply")
        state.add(entry("failed", 2, "131026", by: "15550001111"))
        state.add(entry("sent", 1))
        #expect(MessageState(decoding: state.encoded()) == state)
        #expect(MessageState(decoding: Array("{}".utf8)) == nil)
    }
}
