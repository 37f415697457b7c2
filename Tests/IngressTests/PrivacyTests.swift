import EventLog
import EventLogTesting
import Testing

@testable import Ingress

@Suite struct PrivacyTests {
    /// Words that stand for a number, a text, a secret and a path: none may come back or be logged, whatever happens.
    private static let words = ["15550007777", "very private words", "dGVzdHVzZXI6", "wrong-secret", "hidden-path"]

    @Test func nothingOfARequestIsLoggedOrSentBack() async throws {
        let logs = RecordedLog()
        let producer = TestProducer()
        let body = message("wamid.1", from: "15550007777", text: "very private words")
        var answers: [String] = []
        try await withIngress(producer, logs: logs, configure: { $0.ackDeadline = .milliseconds(500) }) { ingress in
            let requests = [
                post(body), post(body + "}"), post(body, to: "/hidden-path"), post(body, to: "/webhooks/hidden-path"),
                post(body, headers: "X-Webhook-Secret: wrong-secret\r\n"), chunked([Array(body.utf8)]),
                Array("very private words 15550007777\r\n\r\n".utf8),
                post(body, headers: TestIngress.shopHeader + "Content-Encoding: hidden-path\r\n"),
            ]
            let words: [LogError.Code] = [.storage, .queueFull, .recordTooLarge]
            for mode in [TestProducer.Mode.accept, .hold] + words.map(TestProducer.Mode.fail) {
                producer.set(mode)
                for request in requests { answers.append(try await ingress.answer(to: request).body) }
            }
        }
        producer.release()
        #expect(answers.filter { $0.contains("ack_deadline") }.count == 2)
        for word in Self.words {
            #expect(answers.allSatisfy { !$0.contains(word) })
            #expect(!logs.text.contains(word))
        }
    }

    @Test func successIsNotLoggedAndFailureIsLoggedOnce() async throws {
        let logs = RecordedLog()
        let producer = TestProducer()
        try await withIngress(producer, logs: logs) { ingress in
            let before = logs.text
            for number in 1...5 { try await ingress.expect(200, to: post(message("\(number)"))) }
            #expect(logs.text == before)
            producer.set(.fail(.storage))
            for number in 1...5 { try await ingress.expect(503, to: post(message("\(number)"))) }
            let added = logs.text.dropFirst(before.count)
            #expect(added.split(separator: "\n").count == 1)
            #expect(added.contains("storage"))
        }
    }
}
