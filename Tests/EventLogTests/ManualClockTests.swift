import EventLogTesting
import Testing

@Suite struct ManualClockTests {
    @Test func standsStillUntilMoved() {
        let clock = ManualClock()
        let start = clock.now
        #expect(clock.now == start)
        clock.advance(by: .seconds(3))
        #expect(start.duration(to: clock.now) == .seconds(3))
    }

    @Test func wakesWhoIsDueAndNobodyElse() async throws {
        let clock = ManualClock()
        let soon = Task { try await clock.sleep(for: .seconds(1)) }
        let late = Task { try await clock.sleep(for: .seconds(5)) }
        await clock.waitForSleepers(2)
        clock.advance(by: .seconds(1))
        try await soon.value
        #expect(clock.sleeperCount == 1)
        #expect(clock.nextDeadline == ManualClock.Instant(sinceStart: .seconds(5)))
        clock.advance(by: .seconds(4))
        try await late.value
        #expect(clock.sleeperCount == 0)
    }

    @Test func sleepersAreDueInOrderOfDeadlinesHoweverTheyCame() async throws {
        let clock = ManualClock()
        var sleepers: [Int: Task<Void, any Error>] = [:]
        for (index, seconds) in [3, 1, 2].enumerated() {
            sleepers[seconds] = Task { try await clock.sleep(until: .init(sinceStart: .seconds(seconds))) }
            await clock.waitForSleepers(index + 1)
        }
        for seconds in 1...3 {
            #expect(clock.nextDeadline?.sinceStart == .seconds(seconds))
            clock.advance(by: .seconds(1))
            try await sleepers[seconds]?.value
            #expect(clock.sleeperCount == 3 - seconds)
        }
    }

    @Test func aDeadlineThatIsPastIsNoSleep() async throws {
        let clock = ManualClock()
        clock.advance(by: .seconds(1))
        try await clock.sleep(until: .init(sinceStart: .seconds(1)))
    }

    @Test func aCancelledSleepEnds() async {
        let clock = ManualClock()
        let sleeper = Task { try await clock.sleep(for: .seconds(1)) }
        await clock.waitForSleepers()
        sleeper.cancel()
        await #expect(throws: CancellationError.self) { try await sleeper.value }
        #expect(clock.sleeperCount == 0)
    }

    @Test func aSleepOfACancelledTaskDoesNotBegin() async {
        let clock = ManualClock()
        let sleeper = Task {
            while !Task.isCancelled { await Task.yield() }
            try await clock.sleep(for: .seconds(1))
        }
        sleeper.cancel()
        await #expect(throws: CancellationError.self) { try await sleeper.value }
    }
}
