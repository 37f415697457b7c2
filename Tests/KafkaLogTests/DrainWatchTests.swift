import Testing

@testable import KafkaLog

/// When the library is woken to fetch on.
@Suite struct DrainWatchTests {
    @Test func eachHalvingOfABacklogIsNoticedOnce() {
        let lengths = [4_000, 8_000, 6_000, 4_001, 4_000, 3_900, 2_000, 1_999, 900, 499, 400, 0]
        var watch = DrainWatch()
        let noticed = lengths.filter { watch.isHalfTaken($0) }
        #expect(noticed == [4_000, 2_000, 900, 400])
    }

    @Test func aQueueThatGrowsAgainIsMeasuredFromItsNewPeak() {
        var watch = DrainWatch()
        let noticed = [8_000, 4_000, 10_000, 5_001, 5_000].map { watch.isHalfTaken($0) }
        #expect(noticed == [false, true, false, false, true])
    }

    @Test func aTrickleWakesNobody() {
        var watch = DrainWatch()
        let noticed = [1, 0, 499, 0, 300, 100].filter { watch.isHalfTaken($0) }
        #expect(noticed.isEmpty)
    }
}
