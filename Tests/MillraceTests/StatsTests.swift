import EventLog
import Testing
import WhatsApp

@testable import millrace

@Suite struct StatsTests {
    private func window(_ number: String, minute: Int64) -> AnalyticsWindow {
        AnalyticsWindow(key: .init(number: number, at: Timestamp(seconds: minute * 60)))
    }

    @Test func partitionsOfOneMinuteAreAddedUp() {
        var a = window("700", minute: 10)
        a.incoming = ["text": 2]
        a.out = 1
        var b = window("700", minute: 10)
        b.incoming = ["text": 1, "image": 4]
        b.failed = ["131026": 2]
        let lines = Stats.table(of: [a, b], minutes: 5).split(separator: "\n")
        #expect(lines.count == 3)
        let cells = lines[1].split(separator: " ", omittingEmptySubsequences: true)
        #expect(cells.prefix(7) == ["1970-01-01T00:10:00Z", "700", "7", "1", "0", "0", "0"])
        #expect(lines[1].hasSuffix("2 (131026 2)"))
    }

    @Test func onlyTheNewestMinutesAreShownButTheTotalCountsAll() {
        let windows = (1...5 as ClosedRange<Int64>).map { minute in
            var window = window("700", minute: minute)
            window.out = 1
            return window
        }
        let lines = Stats.table(of: windows, minutes: 2).split(separator: "\n")
        #expect(lines.count == 4)
        #expect(lines[1].hasPrefix("1970-01-01T00:04:00Z"))
        #expect(lines[3].split(separator: " ", omittingEmptySubsequences: true)[3] == "5")
    }

    @Test func aWindowSurvivesItsEncoding() {
        var window = window("700", minute: 3)
        window.incoming = ["text": 7, "odd \"type\"": 1]
        window.failed = ["none": 1]
        window.read = 3
        #expect(AnalyticsWindow(decoding: window.encoded()) == window)
    }
}
