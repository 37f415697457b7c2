import EventLog
import EventLogTesting
import Synchronization
import Testing

@testable import Processing

@Suite struct LaneStateTests {
    typealias Instant = ManualClock.Instant
    private static let source = TopicPartition("t", 0)

    /// Owns `source` from its beginning.
    private static var lane: LaneState<Instant> { lane(.ordered) }
    private static func lane(_ work: WorkMode) -> LaneState<Instant> {
        var lane = LaneState<Instant>(
            rules: .init(
                configuration: .init(), retry: RetryPolicy(maxAge: .seconds(1_000)), work: work, keepsState: false,
                group: "g", deadLetterTopic: "dlq.g"))
        lane.begin(source, .init(mode: .none, commit: .init(offset: 0), birth: 0, state: nil, low: 0), restoring: [],
            now: Timestamp(seconds: 0))
        return lane
    }

    private static func moment(_ seconds: Int64) -> Moment<Instant> {
        Moment(instant: Instant(sinceStart: .seconds(seconds)), wall: Timestamp(seconds: seconds))
    }

    @Test func aRecordIsGivenUpWhenItsFirstFailureLiesTooFarBack() throws {
        var lane = Self.lane
        lane.receive(Self.source, [.at(0, key: "k")])
        for tries in 0..<3 {
            let now = Self.moment(Int64(tries * 400))
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
        let due = try #require(waiting.wakeAt)
        #expect(at(1_020).instant <= due && due < at(1_022).instant)
        time += 10
        #expect(try end().commit == nil)
        let second = try #require(lane.turn(at: at(1_022)).commit)
        #expect(second.records == 2, "both share it")
        lane.committed(second, at: at(1_023))
        #expect(lane.turn(at: at(1_023)).wakeAt.map { $0 > at(1_060).instant } ?? true, "nothing is left to commit")
    }

    /// What the lane's shell relies on when it takes no turn for a mark.
    @Test func marksThatWaitForACommitToComeAreInIt() throws {
        var lane = LaneState<Instant>(
            rules: .init(
                configuration: .init(), retry: RetryPolicy(), work: .concurrent(limit: 4), keepsState: false, group: "g",
                deadLetterTopic: "dlq.g", effects: .marked, commitGap: .milliseconds(20)))
        func at(_ milliseconds: Int64) -> Moment<Instant> {
            Moment(instant: Instant(sinceStart: .milliseconds(milliseconds)), wall: Timestamp(milliseconds: milliseconds))
        }
        lane.begin(Self.source, .init(mode: .none, commit: .init(offset: 0), birth: 0, state: nil, low: 0), restoring: [],
            now: Timestamp(seconds: 0))
        lane.receive(Self.source, (0..<4).map { .at(Offset($0), key: "k\($0)") })
        let first = lane.turn(at: at(0))
        #expect(first.start.count == 4)
        // One is under way: the assignment's.
        let begun = try #require(first.commit)
        lane.requestMark(1, first.start[0], first.start[0].works[0].record)
        #expect(lane.isCommitToCome(by: nil))
        lane.committed(begun, at: at(5))
        // The end of the gap has its timer.
        let waiting = lane.turn(at: at(5))
        let due = try #require(waiting.wakeAt)
        #expect(waiting.commit == nil && due <= at(40).instant)
        lane.requestMark(2, first.start[1], first.start[1].works[0].record)
        #expect(lane.isCommitToCome(by: due))
        #expect(!lane.isCommitToCome(by: nil) && !lane.isCommitToCome(by: at(90).instant), "nobody would look")
        let commit = try #require(lane.turn(at: Moment(instant: due, wall: at(40).wall)).commit)
        #expect(commit.progress[Self.source]?.attempted == [0, 1])
        // Somebody is to be told at once.
        let isGivenUp = lane.running.end(first.start[2].id)
        #expect(isGivenUp)
        lane.requestMark(3, first.start[2], first.start[2].works[0].record)
        #expect(!lane.isCommitToCome(by: due))
        let refused = lane.turn(at: at(41)).marks.refused
        #expect(refused == [3])
    }

    @Test(arguments: [(16, 40), (32, 60), (48, 80), (500, 80)])
    func theMoreACommitCarriesTheLaterIsTheNextOne(records: Int, gap: Int64) throws {
        var lane = LaneState<Instant>(
            rules: .init(
                configuration: .init(), retry: RetryPolicy(), work: .ordered, keepsState: false, group: "g",
                deadLetterTopic: "dlq.g", commitGap: .milliseconds(20)))
        func at(_ milliseconds: Int64) -> Moment<Instant> {
            Moment(instant: Instant(sinceStart: .milliseconds(milliseconds)), wall: Timestamp(milliseconds: milliseconds))
        }
        lane.begin(Self.source, .init(mode: .none, commit: .init(offset: 0), birth: 0, state: nil, low: 0), restoring: [],
            now: Timestamp(seconds: 0))
        // Whatever an assignment commits comes first.
        if let commit = lane.turn(at: at(0)).commit { lane.committed(commit, at: at(0)) }
        func handle(_ offsets: Range<Int>, at now: Moment<Instant>) throws -> LaneState<Instant>.Turn {
            lane.receive(Self.source, offsets.map { .at(Offset($0), key: "k") })
            let run = try #require(lane.turn(at: now).start.first)
            lane.finish(run, RunResult(outcomes: Array(repeating: .done([]), count: offsets.count)), at: now)
            return lane.turn(at: now)
        }
        let commit = try #require(handle(0..<records, at: at(1_000)).commit)
        #expect(commit.records == records)
        lane.committed(commit, at: at(1_001))
        let next = try handle(records..<records + 1, at: at(1_001))
        #expect(next.commit == nil && next.wakeAt == at(1_000 + gap).instant)
    }

    @Test func whatIsParkedHoldsNothingOfTheLogsMemory() throws {
        var lane = Self.lane
        weak var lent: LentContent?
        do {
            let content = LentContent(Self.source)
            lent = content
            lane.receive(
                Self.source,
                (0..<2).map { StoredRecord(offset: $0, timestamp: Timestamp(seconds: 0), content: content, byteCount: 2) })
        }
        #expect(lent != nil)
        do {
            let run = try #require(lane.turn(at: Self.moment(0)).start.first)
            let failure = HandlerFailure.transient("down", "", retryAfter: .seconds(1))
            lane.finish(run, RunResult(outcomes: [.failed(failure), .behind]), at: Self.moment(0))
        }
        #expect(lent == nil)
        let again = try #require(lane.turn(at: Self.moment(2)).start.first)
        #expect(again.works.map(\.record.offset) == [0])
        #expect(again.works.map(\.record.key) == [[7]] && again.works.map(\.record.value) == [[8]])
    }

    /// Else a batch beside a failing conversation would make two commits, one when it begins and one when it ends.
    @Test func whatIsParkedBeforeItBeginsIsToldByTheCommitOfWhatRuns() throws {
        var lane = Self.lane
        let now = Self.moment(0)
        func commit() throws -> Progress? {
            guard let job = lane.turn(at: now).commit else { return nil }
            lane.committed(job, at: now)
            return job.progress[Self.source]
        }
        lane.receive(Self.source, [.at(0, key: "bad")])
        let first = try #require(lane.turn(at: now).start.first)
        lane.committed(CommitJob(outputs: [], bytes: 0, records: 0), at: now)
        let failure = HandlerFailure.transient("down", "", retryAfter: .seconds(900))
        lane.finish(first, RunResult(outcomes: [.failed(failure)]), at: now)
        let failed = try commit()
        #expect(failed?.offset == 1 && failed?.parked == [0])

        lane.receive(Self.source, [.at(1, key: "bad"), .at(2, key: "good")])
        let begins = lane.turn(at: now)
        let run = try #require(begins.start.first)
        #expect(run.works.map { run.blocked.contains($0.record) } == [true, false] && begins.commit == nil)
        lane.finish(run, RunResult(outcomes: [.behind, .done([])]), at: now)
        let done = try commit()
        #expect(done?.offset == 3 && done?.parked == [0, 1])

        lane.receive(Self.source, [.at(3, key: "bad")])
        let alone = try commit()
        #expect(alone?.offset == 4 && alone?.parked == [0, 1, 3], "nothing runs whose end would tell it")
    }

    /// A copy of the key costs more than the rest of what the runtime does for a record.
    @Test(arguments: [WorkMode.ordered, .concurrent(limit: 4)])
    func whileAnotherKeyIsParkedNoKeyIsCopied(work: WorkMode) throws {
        var lane = Self.lane(work)
        func run(_ content: LentContent, _ offset: Offset, _ outcome: RunResult.Outcome) throws {
            lane.receive(
                Self.source, [StoredRecord(offset: offset, timestamp: Timestamp(seconds: 0), content: content, byteCount: 2)])
            let run = try #require(lane.turn(at: Self.moment(0)).start.first)
            lane.finish(run, RunResult(outcomes: [outcome]), at: Self.moment(0))
        }
        try run(LentContent(Self.source, key: [1]), 0, .failed(.transient("down", "", retryAfter: .seconds(9))))
        let inOrder = LentContent(Self.source, key: [2])
        try run(inOrder, 1, .done([]))
        #expect(inOrder.copies == (work == .ordered ? 0 : 1), "a queue per key needs it once")
        let behind = LentContent(Self.source, key: [1])
        lane.receive(
            Self.source, [StoredRecord(offset: 2, timestamp: Timestamp(seconds: 0), content: behind, byteCount: 2)])
        #expect(lane.turn(at: Self.moment(0)).start.isEmpty, "but the next of the parked key waits")
    }
}

/// As a log's library holds it.
private final class LentContent: RecordContent {
    let source: TopicPartition
    private let ownKey: [UInt8]
    private let reads = Mutex(0)
    init(_ source: TopicPartition, key: [UInt8] = [7]) { (self.source, ownKey) = (source, key) }
    var copies: Int { reads.withLock { $0 } }
    func key(at index: Int) -> [UInt8]? {
        reads.withLock { $0 += 1 }
        return ownKey
    }
    func keyHash(at index: Int) -> UInt32 { Murmur2.hash(ownKey) }
    func value(at index: Int) -> [UInt8]? { [8] }
    func headers(at index: Int) -> Headers { Headers() }
}
