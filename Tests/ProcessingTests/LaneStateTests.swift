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
            #expect(run.works.map(\.past.attempts) == [tries])
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

    @Test func commitsKeepTheirDistanceAndTheFirstAfterAPauseBeginsAtOnce() throws {
        let source = TopicPartition("t", 0)
        var lane = LaneState<Instant>(
            rules: .init(
                configuration: .init(), retry: RetryPolicy(), work: .concurrent(limit: 4), keepsState: false,
                group: "g", deadLetterTopic: "dlq.g", commitGap: .milliseconds(20)))
        func at(_ milliseconds: Int64) -> Moment<Instant> {
            Moment(instant: Instant(sinceStart: .milliseconds(milliseconds)), wall: Timestamp(milliseconds: milliseconds))
        }
        lane.begin(source, .init(mode: .none, commit: .init(offset: 0), birth: 0, state: nil, low: 0), restoring: [],
            now: Timestamp(seconds: 0))
        lane.receive(source, [.at(0, key: "a"), .at(1, key: "b"), .at(2, key: "c")])
        var runs = lane.turn(at: at(0)).start
        // Whatever an assignment commits comes first.
        var time: Int64 = 1_000
        if let committing = lane.committing { lane.committed(committing, at: at(0)) }
        func end() throws -> LaneState<Instant>.Turn {
            let run = runs.popLast()
            lane.finish(try #require(run), RunResult(outcomes: [.done([])]), at: at(time))
            return lane.turn(at: at(time))
        }
        let first = try #require(end().commit, "nothing was committed for long")
        time += 5
        lane.committed(first, at: at(time))
        #expect(lane.turn(at: at(time)).commit == nil)
        let waiting = try end()
        #expect(waiting.commit == nil)
        #expect(waiting.wakeAt == at(1_020).instant)
        time += 10
        #expect(try end().commit == nil)
        let second = try #require(lane.turn(at: at(1_020)).commit)
        #expect(second.records == 2, "both share it")
        lane.committed(second, at: at(1_021))
        #expect(lane.turn(at: at(1_021)).wakeAt != at(1_040).instant, "nothing is left to commit")
    }
}
