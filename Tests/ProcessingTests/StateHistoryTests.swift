import EventLog
import Testing

@testable import Processing

@Suite struct StateHistoryTests {
    private static let partition = TopicPartition("state.g", 0)

    /// Reads these as a partition, each at the next offset.
    private func read(
        _ records: [StateRecord], from position: StateHistory.Position = .init(next: 0, epoch: 0)
    ) -> (changes: StateHistory.Changes, history: StateHistory) {
        var history = StateHistory(position)
        var changes = StateHistory.Changes()
        for (index, record) in records.enumerated() {
            let record = record.record(in: Self.partition)
            history.take(
                StoredRecord(
                    source: Self.partition, offset: position.next + Offset(index), key: record.key, value: record.value,
                    headers: record.headers, timestamp: Timestamp(seconds: 0)), &changes)
        }
        return (changes, history)
    }

    private func entry(_ key: String, _ value: UInt8?, by epoch: Int64, in flush: Int64) -> StateRecord {
        .entry(key: key, StateEntry(value: value.map { [$0] }), epoch: epoch, flush: flush)
    }
    private func seal(_ offset: Offset, by epoch: Int64, in flush: Int64, hasSettled: Bool = true) -> StateRecord {
        .seal(["t": Progress(offset: offset)], epoch: epoch, flush: flush, hasSettled: hasSettled)
    }
    private func value(_ value: UInt8?) -> StateEntry { StateEntry(value: value.map { [$0] }) }

    @Test func recordsSayTheSameAfterTheLog() {
        let progress: [Topic: Progress] = [
            "t": Progress(offset: 9_000, parked: OffsetSet((0..<4_000).map { $0 * 2 })), "u.v1": Progress(offset: 0),
        ]
        let records: [StateRecord] = [
            .entry(key: "a b", StateEntry(value: [0, 10, 255], expires: Timestamp(milliseconds: 7)), epoch: 3, flush: 8),
            .entry(key: "gone", StateEntry(value: nil), epoch: 3, flush: 8), .claim(epoch: 4),
            .seal(progress, epoch: 4, flush: 0, hasSettled: true), .seal([:], epoch: 4, flush: 0, hasSettled: false),
        ]
        for expected in records {
            let record = expected.record(in: Self.partition)
            let stored = StoredRecord(
                source: Self.partition, offset: 0, key: record.key, value: record.value, headers: record.headers,
                timestamp: Timestamp(seconds: 0))
            #expect(StateRecord(stored) == expected)
        }
    }

    @Test func entriesCountWhenTheirFlushIsSealed() {
        let open = read([.claim(epoch: 1), entry("a", 1, by: 1, in: 0)])
        #expect(open.changes == .init())
        #expect(open.history.safePosition == .init(next: 1, epoch: 1))
        let sealed = read([.claim(epoch: 1), entry("a", 1, by: 1, in: 0), seal(5, by: 1, in: 0)])
        #expect(sealed.changes.writes == ["a": value(1)])
        #expect(sealed.changes.progress == ["t": Progress(offset: 5)])
        #expect(sealed.history.safePosition == .init(next: 3, epoch: 1))
    }

    /// Compaction keeps the newest seal alone.
    @Test func theNextFlushProvesTheOneBeforeIt() {
        let found = read([entry("a", 1, by: 1, in: 3), entry("b", 2, by: 1, in: 4)])
        #expect(found.changes.writes == ["a": value(1)])
        #expect(found.history.safePosition == .init(next: 1, epoch: 1))
    }

    @Test func whatAnOwnerDidNotSealIsDoubted() {
        var found = read([
            .claim(epoch: 1), entry("a", 1, by: 1, in: 0), seal(5, by: 1, in: 0), entry("a", 2, by: 1, in: 1),
            entry("b", nil, by: 1, in: 1), .claim(epoch: 2),
        ])
        #expect(found.history.safePosition == .init(next: 3, epoch: 1))
        found.history.conclude(&found.changes)
        #expect(found.history.safePosition == .init(next: 6, epoch: 2))
        #expect(found.changes.writes == ["a": value(1)])
        #expect(found.changes.doubts == ["a", "b"])
        #expect(found.changes.progress == ["t": Progress(offset: 5)])
        #expect(found.history.claims == [1, 2])
    }

    @Test func whatAFormerOwnerWritesBehindAClaimIsDoubted() {
        let found = read([
            .claim(epoch: 1), entry("a", 1, by: 1, in: 0), seal(5, by: 1, in: 0), .claim(epoch: 2),
            entry("a", 9, by: 1, in: 1), entry("c", 9, by: 1, in: 1), seal(9, by: 1, in: 1), .claim(epoch: 1),
            entry("c", 3, by: 2, in: 0), seal(6, by: 2, in: 0),
        ])
        #expect(found.changes.writes == ["a": value(1), "c": value(3)])
        #expect(found.changes.doubts == ["a"])
        #expect(found.changes.progress == ["t": Progress(offset: 6)])
        #expect(found.history.position == .init(next: 10, epoch: 2))
    }

    /// The bad record is the newer one, and what compaction would keep.
    @Test func aKeyThatAFormerOwnerWroteInTheMiddleOfAFlushStaysDoubted() {
        let found = read([
            .claim(epoch: 2), entry("a", 1, by: 2, in: 0), entry("a", 9, by: 1, in: 7), seal(5, by: 2, in: 0),
        ])
        #expect(found.changes.writes == ["a": value(1)])
        #expect(found.changes.doubts == ["a"])
    }

    @Test func aDoubtEndsWhenTheKeyIsWrittenAgain() {
        let found = read([
            .claim(epoch: 2), entry("a", 9, by: 1, in: 7), entry("a", 1, by: 2, in: 0), seal(5, by: 2, in: 0),
        ])
        #expect(found.changes.doubts.isEmpty)
    }

    /// The seal of 1 was compacted away because 2 has sealed since; what 1 had not sealed 2 has written again.
    @Test func whatASettledOwnerDidNotWriteAgainIsBelieved() {
        let records: [StateRecord] = [
            entry("a", 1, by: 1, in: 4), entry("b", 9, by: 1, in: 4), .claim(epoch: 2), entry("b", 2, by: 2, in: 0),
        ]
        var settled = read(records + [seal(5, by: 2, in: 0)])
        #expect(settled.changes.writes == ["a": value(1), "b": value(2)])
        settled.history.conclude(&settled.changes)
        #expect(settled.changes.doubts.isEmpty)
        var unsettled = read(records + [seal(5, by: 2, in: 0, hasSettled: false)])
        #expect(unsettled.changes.writes == ["b": value(2)])
        unsettled.history.conclude(&unsettled.changes)
        #expect(unsettled.changes.doubts == ["a"])
    }

    @Test func recordsOfOthersSayNothing() {
        var history = StateHistory(.init(next: 0, epoch: 3))
        var changes = StateHistory.Changes()
        for key in [nil, Array("a".utf8)] {
            history.take(
                StoredRecord(
                    source: Self.partition, offset: 0, key: key, value: [1], headers: Headers(),
                    timestamp: Timestamp(seconds: 0)), &changes)
        }
        #expect(changes == .init())
        #expect(history.position == .init(next: 1, epoch: 3))
    }
}
