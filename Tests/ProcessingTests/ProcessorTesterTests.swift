import EventLog
import ProcessorTesting
import Testing

@testable import Processing

/// The test kit treats failures as the runtime does.
@Suite struct ProcessorTesterTests {
    private let record = StoredRecord(Record(topic: "in", key: Array("k".utf8), value: Array("1".utf8)))
    private let start = Timestamp(seconds: 1_790_000_000)

    private func processor(
        failing attempts: ClosedRange<Int>, with failure: HandlerFailure = .transient("busy", "")
    ) -> TestProcessor {
        TestProcessor(retry: RetryPolicy(base: .seconds(1), maxAttempts: 4)) { record, context in
            try await context.state.set("attempt/\(context.attempt)", to: [], expires: nil)
            if attempts.contains(context.attempt) { throw failure }
            return [record.copy()]
        }
    }

    @Test func aPassingFailureIsTriedAgainAfterThePolicysDelay() async throws {
        let tester = ProcessorTester(processor(failing: 1...2), at: start)
        #expect(await tester.run([record]).count == 1)
        #expect(tester.now == start + .seconds(1 + 2))
        #expect(tester.deadLetters.isEmpty)
        #expect(tester.state.keys == ["attempt/3"])
    }

    @Test func anotherSidesWishReplacesTheDelay() async throws {
        let tester = ProcessorTester(processor(failing: 1...1, with: .transient("busy", "", retryAfter: .seconds(40))), at: start)
        _ = await tester.run([record])
        #expect(tester.now == start + .seconds(40))
    }

    @Test func aRecordThatNeverSucceedsIsADeadLetterWithItsAttempts() async throws {
        let tester = ProcessorTester(processor(failing: 1...9), at: start)
        #expect(await tester.run([record, record]).isEmpty)
        #expect(tester.deadLetters.map(\.attempts) == [4, 4])
        #expect(tester.deadLetters.map(\.failure.disposition) == [.maxAttempts, .maxAttempts])
        #expect(tester.state.keys.isEmpty)
    }

    @Test func feedThrowsTheFailureAndLeavesNoTraceOfTheHandler() async throws {
        let tester = ProcessorTester(processor(failing: 1...1))
        await #expect(throws: HandlerFailure.self) { try await tester.feed([record]) }
        #expect(tester.state.keys.isEmpty)
    }

    @Test func stateExpiresByTheTestersClock() async throws {
        let once = TestProcessor { record, context in
            try await Deduplication(window: .seconds(60)).isFirst("a", at: context.now, in: context.state) ? [record.copy()] : []
        }
        let tester = ProcessorTester(once, at: start)
        #expect(try await tester.feed([record, record]).count == 1)
        tester.advance(by: .seconds(59))
        #expect(try await tester.feed([record]).isEmpty)
        tester.advance(by: .seconds(1))
        #expect(try await tester.feed([record]).count == 1)
    }
}
