import EventLog
import Processing
import ProcessorTesting
import Testing
import WhatsApp

@testable import status_tracker

@Suite struct StatusTrackerTests {
    private let topics = Topics()
    private let samples = Samples()

    private func states(_ outputs: [Record]) -> [MessageState] {
        outputs.compactMap { $0.value.flatMap(MessageState.init(decoding:)) }
    }

    @Test func commandResultAndStatusesBecomeOneState() async throws {
        let tester = ProcessorTester(StatusTrackerProcessor(topics: topics))
        #expect(try await tester.feed([samples.command()]).isEmpty)
        let accepted = states(try await tester.feed([samples.result(messageID: "wamid.1")]))
        #expect(accepted.map(\.summary) == ["accepted"])
        let outputs = try await tester.feed([
            samples.status("sent", at: 10), samples.status("delivered", at: 11), samples.status("read", at: 12),
        ])
        #expect(states(outputs).map(\.summary) == ["sent", "delivered", "read"])
        #expect(outputs.allSatisfy { $0.key == Array("wamid.1".utf8) && $0.topic == topics.messageState })
        let words = states(outputs).last?.timeline.map(\.word) ?? []
        #expect(Set(words) == ["requested", "accepted", "sent", "delivered", "read"])
    }

    @Test func anyOrderEndsInTheSameState() async throws {
        let records = [
            samples.command(), samples.result(messageID: "wamid.1"), samples.status("sent", at: 10),
            samples.status("delivered", at: 11), samples.status("read", at: 12),
        ]
        var finals: Set<MessageState> = []
        for order in [[0, 1, 2, 3, 4], [4, 3, 2, 1, 0], [2, 0, 4, 1, 3], [3, 4, 1, 0, 2]] {
            let tester = ProcessorTester(StatusTrackerProcessor(topics: topics))
            let outputs = try await tester.feed((order + order).map { records[$0] })
            finals.insert(try #require(states(outputs).last))
        }
        #expect(finals.count == 1)
    }

    @Test func aCopyPublishesNothing() async throws {
        let tester = ProcessorTester(StatusTrackerProcessor(topics: topics))
        _ = try await tester.feed([samples.status("sent", at: 10)])
        #expect(try await tester.feed([samples.status("sent", at: 10)]).isEmpty)
    }

    @Test func aRejectedCommandIsPublishedUnderItsCommandID() async throws {
        let tester = ProcessorTester(StatusTrackerProcessor(topics: topics))
        let outputs = try await tester.feed([samples.command(), samples.result(messageID: nil)])
        #expect(outputs.map(\.key) == [Array("cmd-1".utf8)])
        #expect(states(outputs).map(\.summary) == ["failed"])
    }

    @Test func theTraceOfTheCauseGoesOn() async throws {
        let tester = ProcessorTester(StatusTrackerProcessor(topics: topics))
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
        var status = samples.status("sent", at: 10)
        status.headers.append("traceparent", trace)
        #expect(try await tester.feed([status]).map { $0.headers.string("traceparent") } == [trace])
    }

    @Test func aBrokenRecordIsADeadLetter() async throws {
        let tester = ProcessorTester(StatusTrackerProcessor(topics: topics))
        var broken = samples.status("sent", at: 10)
        broken.value = Array("{}".utf8)
        let failure = await #expect(throws: HandlerFailure.self) { try await tester.feed([broken]) }
        #expect(failure?.isTransient == false)
        #expect(failure?.disposition == .deserialization)
    }
}
