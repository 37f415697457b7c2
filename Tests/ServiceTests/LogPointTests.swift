import EventLog
import Processing
import Testing

@testable import Service

@Suite struct LogPointTests {
    private let now = Timestamp(seconds: 1_790_000_000)

    @Test func everyFormIsUnderstood() {
        let forms: [(String, LogPoint)] = [
            ("beginning", .beginning), ("end", .end), ("1200", .offset(1_200)),
            ("2026-11-21T10:00:00Z", .time(Timestamp(seconds: 1_795_255_200))), ("45s", .time(now - .seconds(45))),
            ("90m", .time(now - .seconds(5_400))), ("6h", .time(now - .seconds(21_600))), ("7d", .time(now - .seconds(604_800))),
        ]
        for (text, point) in forms { #expect(LogPoint(text, now: now) == point) }
    }

    @Test(arguments: ["", "start", "-1", "6", "6x", "h", "-6h", "99999999999999d", "2026-11-21", "9223372036854775808"])
    func whatIsNoPointIsRefused(text: String) {
        let point = LogPoint(text, now: now)
        #expect(text == "6" ? point == .offset(6) : point == nil)
    }

    @Test func theBarShowsShareRateAndTimeLeft() {
        let half = ReplayDisplay.line(ReplayProgress(offsets: 4_000, finished: 1_000), after: .seconds(2))
        #expect(half == "[#####---------------] 25 %  500/s  6 s left  1,000 of 4,000")
        let done = ReplayDisplay.line(ReplayProgress(offsets: 1_234_567, finished: 1_234_567, parked: 2), after: .seconds(10))
        #expect(done == "[####################] 100 %  123,456/s  1,234,567 of 1,234,567  2 parked")
        #expect(ReplayDisplay.line(ReplayProgress(offsets: 10), after: .seconds(1)).contains("time left unknown"))
        #expect(ReplayDisplay.line(ReplayProgress(), after: .zero).contains("100 %"))
    }
}
