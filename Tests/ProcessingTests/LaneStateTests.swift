import EventLog
import EventLogTesting
import Testing

@testable import Processing

@Suite struct LaneStateTests {
    typealias Instant = ManualClock.Instant

    @Test func aRecordIsGivenUpWhenItsFirstFailureLiesTooFarBack() throws {
        let source = TopicPartition("t", 0)
        var lane = LaneState<Instant>(
            rules: .init(
                configuration: .init(), retry: RetryPolicy(maxAge: .seconds(1_000)), work: .ordered, keepsState: false,
                group: "g", deadLetterTopic: "dlq.g"))
        lane.begin(source, .init(mode: .none, commit: .init(offset: 0), birth: 0, state: nil, low: 0), restoring: [],
            now: Timestamp(seconds: 0))
        lane.receive(source, [.at(0, key: "k")])
        for tries in 0..<3 {
            let seconds = Int64(tries * 400)
            let now = Moment(instant: Instant(sinceStart: .seconds(seconds)), wall: Timestamp(seconds: seconds))
            let run = try #require(lane.turn(at: now).start.first)
            #expect(run.works.map(\.attempts) == [tries])
            let failure = HandlerFailure.transient("down", "", retryAfter: .seconds(400))
            lane.finish(run, RunResult(outcomes: [.failed(failure)]), at: now)
            let next = lane.turn(at: now)
            if tries < 2 {
                #expect(next.start.isEmpty)
            } else {
                guard case .condemned = next.start.first?.works.first?.fate else { throw Overdue() }
            }
        }
    }
}
