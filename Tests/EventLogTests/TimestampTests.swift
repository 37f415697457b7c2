import EventLog
import Testing

@Suite struct TimestampTests {
    @Test func countsMilliseconds() {
        #expect(Timestamp(seconds: 1_700_000_000) == Timestamp(milliseconds: 1_700_000_000_000))
        #expect(Timestamp(milliseconds: 1) < Timestamp(milliseconds: 2))
    }

    @Test func movesByDurations() {
        let start = Timestamp(seconds: 100)
        #expect(start + .milliseconds(1) == Timestamp(milliseconds: 100_001))
        #expect(start - .seconds(101) == Timestamp(milliseconds: -1_000))
        #expect(start + .microseconds(1_999) == Timestamp(milliseconds: 100_001))
        #expect(start - Timestamp(seconds: 101) == .seconds(-1))
    }

    @Test(arguments: [
        (.seconds(2), 2_000), (.milliseconds(-1_500), -1_500), (.microseconds(1_999), 1), (.microseconds(-1_999), -1),
        (.zero, 0), (.seconds(86_400 * 365), 31_536_000_000),
    ] as [(Duration, Int64)])
    func durationsAreWholeMillisecondsTowardsZero(duration: Duration, milliseconds: Int64) {
        #expect(duration.milliseconds == milliseconds)
    }
}
