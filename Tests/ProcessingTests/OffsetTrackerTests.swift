import EventLog
import EventLogTesting
import Testing

@testable import Processing

@Suite struct OffsetTrackerTests {
    @Test func positionIsTheFirstUnfinishedRecordAndSkipsGaps() {
        var tracker = OffsetTracker(start: 5)
        #expect(tracker.position == 5)
        for offset: Offset in [7, 8, 20] { tracker.receive(.at(offset)) }
        #expect(tracker.position == 7)
        tracker.done(8)
        #expect(tracker.position == 7)
        tracker.done(7)
        #expect(tracker.position == 20)
        tracker.done(20)
        #expect(tracker.position == 21)
    }

    @Test func parkedRecordsAreListedBelowThePositionUntilDone() {
        var tracker = OffsetTracker(start: 0)
        for offset: Offset in 0..<4 { tracker.receive(.at(offset)) }
        tracker.park(0)
        tracker.park(3)
        tracker.done(1)
        #expect(tracker.progress() == Progress(offset: 2, parked: [0]))
        tracker.done(2)
        #expect(tracker.progress() == Progress(offset: 4, parked: [0, 3]))
        tracker.done(0)
        #expect(tracker.progress() == Progress(offset: 4, parked: [3]))
    }

    @Test func progressStaysBeforeTheFirstParkedRecordThatCannotBeListed() {
        var tracker = OffsetTracker(start: 0, maxParked: 2)
        for offset: Offset in 0..<10 {
            tracker.receive(.at(offset))
            if offset.isMultiple(of: 2) { tracker.park(offset) } else { tracker.done(offset) }
        }
        #expect(tracker.progress() == Progress(offset: 4, parked: [0, 2]))
        tracker.done(0)
        #expect(tracker.progress() == Progress(offset: 6, parked: [2, 4]))
        // One that is done before it could be listed is simply done.
        tracker.done(6)
        #expect(tracker.progress() == Progress(offset: 8, parked: [2, 4]))
        #expect(tracker.waitingCount == 3)
        for offset: Offset in [2, 4, 8] { tracker.done(offset) }
        #expect(tracker.progress() == Progress(offset: 10) && tracker.waitingCount == 0)
    }

    @Test func recordsThatHoldUpThePositionArePassedOverAsFarAsThereIsRoom() {
        var tracker = OffsetTracker(start: 0, maxParked: 8)
        for offset: Offset in 0..<20 { tracker.receive(.at(offset)) }
        for offset: Offset in stride(from: 1, to: 20, by: 2) { tracker.done(offset) }
        tracker.passOver(finishedBehind: 10)
        #expect(tracker.progress() == Progress(offset: 0), "as many may lie behind")
        tracker.passOver(finishedBehind: 7)
        #expect(tracker.progress() == Progress(offset: 6, parked: [0, 2, 4]))
        tracker.passOver(finishedBehind: 0)
        #expect(tracker.progress() == Progress(offset: 8, parked: [0, 2, 4, 6]), "the other half is for parked ones")
        tracker.park(2, .init(attempts: 1, seconds: 0))
        tracker.done(0)
        #expect(tracker.progress() == Progress(offset: 8, parked: [2, 4, 6], tries: [2: .init(attempts: 1, seconds: 0)]))
    }

    @Test func progressAlwaysFitsTheMetadata() throws {
        var tracker = OffsetTracker(start: 0, maxParked: 5_000)
        for index: Offset in 0..<5_000 {
            tracker.receive(.at(index * 1_000))
            tracker.park(index * 1_000)
        }
        let progress = tracker.progress()
        let commit = try #require(progress.encoded())
        #expect(commit.metadata.utf8.count <= Commit.maxMetadataBytes)
        #expect(progress.parked.count > 500)
        #expect(progress.offset == Offset(progress.parked.count) * 1_000)
    }

    /// Whatever happens in whatever order: a record that is not done is never covered by the progress.
    @Test(arguments: 0..<40 as Range<UInt64>)
    func nothingUnfinishedIsEverCovered(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let bound = seed.isMultiple(of: 2) ? 3 : 1_000
        var tracker = OffsetTracker(start: 100, maxParked: bound)
        var unfinished: Set<Offset> = []
        var parked: Set<Offset> = []
        var done: Set<Offset> = []
        var next: Offset = 100
        for _ in 0..<400 {
            switch Int.random(in: 0..<5, using: &random) {
            case 0, 1:
                next += Offset.random(in: 0...2, using: &random)
                tracker.receive(.at(next))
                unfinished.insert(next)
                next += 1
            case 2:
                guard let offset = unfinished.sorted().randomElement(using: &random) else { continue }
                unfinished.remove(offset)
                parked.insert(offset)
                tracker.park(offset)
            default:
                guard let offset = unfinished.union(parked).sorted().randomElement(using: &random) else { continue }
                unfinished.remove(offset)
                parked.remove(offset)
                done.insert(offset)
                tracker.done(offset)
            }
            let passesOver = seed.isMultiple(of: 3)
            if passesOver { tracker.passOver(finishedBehind: 5) }
            let open = unfinished.union(parked)
            #expect(tracker.position == open.filter { !tracker.parked.contains($0) }.min() ?? next, "seed \(seed)")
            #expect(passesOver || tracker.waitingCount == parked.count, "seed \(seed)")
            #expect(tracker.unfinished == open.count { !tracker.parked.contains($0) }, "seed \(seed)")
            let progress = tracker.progress()
            #expect(open.allSatisfy { !progress.hasFinished($0) }, "seed \(seed)")
            #expect(progress.parked.count <= bound && progress.parked.allSatisfy(open.contains), "seed \(seed)")
            #expect(progress.offset == tracker.position, "seed \(seed)")
            let applied = tracker.applied
            #expect(done.allSatisfy(applied.hasFinished) && !open.contains(where: applied.hasFinished), "seed \(seed)")
        }
    }
}

extension OffsetTracker {
    mutating func receive(_ record: StoredRecord) { receive(record.offset, record.timestamp) }
}

extension StoredRecord {
    static func at(_ offset: Offset, key: String? = nil, topic: Topic = "t", value: String = "") -> StoredRecord {
        StoredRecord(
            source: TopicPartition(topic, 0), offset: offset, key: key.map { Array($0.utf8) }, value: Array(value.utf8),
            headers: Headers(), timestamp: Timestamp(milliseconds: 1_000 + offset))
    }
}

extension OffsetSet: ExpressibleByArrayLiteral {
    public init(arrayLiteral offsets: Offset...) { self.init(offsets) }
}
