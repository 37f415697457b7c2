import EventLog
import EventLogTesting
import Testing

@testable import Processing

@Suite struct RetryScheduleTests {
    private func at(_ seconds: Int) -> ManualClock.Instant { .init(sinceStart: .seconds(seconds)) }

    @Test func recordsComeBackInTheOrderOfTheirTimes() {
        var retries = RetrySchedule<ManualClock.Instant>()
        retries.fail(Work(.at(0, key: "a")), until: at(3))
        retries.fail(Work(.at(1, key: "b")), until: at(1))
        retries.fail(Work(.at(2, key: "c")), until: at(2))
        #expect(retries.nextDue == at(1))
        let (early, late) = (retries.takeDue(at: at(0)), retries.takeDue(at: at(2)))
        #expect(early.isEmpty)
        #expect(late.map(\.record.offset) == [1, 2])
        #expect(retries.nextDue == at(3))
    }

    @Test func aKeyIsBlockedUntilItsFailedRecordIsSettled() {
        var retries = RetrySchedule<ManualClock.Instant>()
        let (one, other) = (StoredRecord.at(7, key: "a"), StoredRecord.at(0, key: "a", topic: "u"))
        retries.fail(Work(.at(0, key: "a")), until: at(1))
        #expect(retries.blocks(one) && !retries.blocks(other))
        retries.follow(Work(.at(1, key: "a")))
        retries.follow(Work(.at(2, key: "a")))
        let again = retries.takeDue(at: at(1))
        #expect(again.map(\.record.offset) == [0])
        #expect(retries.blocks(one))
        retries.fail(again[0], until: at(2))
        let third = retries.takeDue(at: at(2))
        #expect(third.map(\.record.offset) == [0])
        let behind = retries.settle(OrderKey(one))
        #expect(behind.map(\.record.offset) == [1, 2])
        #expect(!retries.blocks(one) && retries.isEmpty)
    }
}
