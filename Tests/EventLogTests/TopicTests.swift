import EventLog
import Testing

@Suite struct TopicTests {
    @Test(arguments: [
        "a", "whatsapp.messages.v1", "A_b-9", "...", String(repeating: "t", count: 249), "dlq.millrace.auto-responder",
    ])
    func kafkaTakes(name: String) {
        #expect(Topic(name).isValid)
    }

    @Test(arguments: [
        "", ".", "..", "a b", "a/b", "größe", "a\u{0}", "a\n", "a:b", "a,b", String(repeating: "t", count: 250),
    ])
    func kafkaRefuses(name: String) {
        #expect(!Topic(name).isValid)
    }

    @Test func partitionsSortByTopicThenNumber() {
        let a = Topic("a")
        let b = Topic("b")
        let sorted = [TopicPartition(b, 0), TopicPartition(a, 10), TopicPartition(a, 9)].sorted()
        #expect(sorted == [TopicPartition(a, 9), TopicPartition(a, 10), TopicPartition(b, 0)])
    }
}
