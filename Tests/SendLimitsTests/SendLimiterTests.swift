import EventLogTesting
import Synchronization
import Testing
import WhatsApp

@testable import SendLimits

private final class Counter: Sendable {
    private let count = Mutex(0)
    var value: Int { count.withLock { $0 } }
    func add() { count.withLock { $0 += 1 } }
}

/// Wakes its sleepers a moment before they are due.
private struct EarlyClock: Clock {
    let real = ManualClock()

    var now: ManualClock.Instant { real.now }
    var minimumResolution: Duration { real.minimumResolution }

    func sleep(until deadline: ManualClock.Instant, tolerance: Duration?) async throws {
        try await real.sleep(until: deadline.advanced(by: .zero - min(.microseconds(10), now.duration(to: deadline) / 2)))
    }
}

/// The shell: continuations, cancellation and the one timer.
@Suite(.timeLimit(.minutes(1))) struct SendLimiterTests {
    private func limiter(
        _ clock: ManualClock, _ configuration: SendLimitsConfiguration = SendLimitsConfiguration(margin: 1)
    ) -> SendLimiter {
        let limiter = SendLimiter(configuration, clock: clock)
        limiter.setShare(owned: 12, of: 12)
        return limiter
    }

    private func admission(_ index: Int = 0, _ number: String = "1") -> SendAdmission {
        SendAdmission(number: number, pair: "\(number):\(index)", kind: .reply)
    }

    /// Lets the other tasks run until `condition`. A condition that never comes ends with the suite's time limit.
    private func eventually(_ condition: () -> Bool) async {
        while !condition() && !Task.isCancelled { await Task.yield() }
    }

    /// Advances from timer to timer until `condition`.
    private func advance(_ clock: ManualClock, until condition: () -> Bool) async {
        await eventually {
            if condition() { return true }
            if let next = clock.nextDeadline { clock.advance(by: max(.zero, clock.now.duration(to: next))) }
            return false
        }
    }

    @Test func aThousandWaitersHaveOneTimer() async throws {
        let clock = ManualClock()
        let limiter = limiter(clock)
        let went = Counter()
        await withTaskGroup(of: Void.self) { group in
            for index in 0..<1_000 {
                group.addTask {
                    guard let permit = try? await limiter.admit(admission(index)) else { return }
                    went.add()
                    permit.report(.accepted)
                }
            }
            await eventually { limiter.snapshot().waiting == 1_000 && clock.sleeperCount > 0 }
            #expect(clock.sleeperCount == 1)
            await advance(clock) { went.value == 1_000 }
        }
        #expect(went.value == 1_000)
        #expect(limiter.snapshot().inFlight == 0)
    }

    @Test func departureBeyondThePaceWaitsForItsTimeAndEndsWithItsTask() async throws {
        let clock = ManualClock()
        let limiter = limiter(clock)
        let permit = Task { try await limiter.admit(admission()) }
        await advance(clock) { limiter.snapshot().inFlight == 1 }
        clock.advance(by: .seconds(1))
        let timers = clock.sleeperCount
        // What the bucket holds, 0.1 s of 80 a second, leaves at once, and the one that is due.
        for _ in 0..<9 { try await limiter.awaitDeparture(number: "1") }
        #expect(clock.sleeperCount == timers)
        let left = Counter()
        let late = Task {
            try await limiter.awaitDeparture(number: "1")
            left.add()
        }
        await eventually { clock.sleeperCount == timers + 1 }
        let cancelled = Task { try await limiter.awaitDeparture(number: "1") }
        await eventually { clock.sleeperCount == timers + 2 }
        cancelled.cancel()
        await #expect(throws: SendRefusal(.cancelled)) { try await cancelled.value }
        #expect(left.value == 0)
        await advance(clock) { left.value == 1 }
        try await late.value
        try await permit.value.report(.accepted)
    }

    @Test func timerThatFiresEarlyIsSetAgain() async throws {
        let clock = EarlyClock()
        let limiter = SendLimiter(SendLimitsConfiguration(margin: 1), clock: clock)
        limiter.setShare(owned: 12, of: 12)
        let asking = Task { try await limiter.admit(admission()) }
        await advance(clock.real) { limiter.snapshot().inFlight == 1 }
        try await asking.value.report(.accepted)
    }

    @Test func cancelledCallerLeavesTheLine() async throws {
        let clock = ManualClock()
        let limiter = limiter(clock)
        let waiting = Task { () -> SendRefusal? in
            do throws(SendRefusal) {
                _ = try await limiter.admit(admission())
                return nil
            } catch {
                return error
            }
        }
        await eventually { limiter.snapshot().waiting > 0 }
        waiting.cancel()
        #expect(await waiting.value?.reason == .cancelled)
        #expect(limiter.snapshot().waiting == 0)
    }

    @Test func taskCancelledBeforehandIsRefused() async throws {
        let clock = ManualClock()
        let limiter = limiter(clock)
        let task = Task { () -> Bool in
            while !Task.isCancelled { await Task.yield() }
            return (try? await limiter.admit(admission())) == nil
        }
        task.cancel()
        #expect(await task.value)
        #expect(limiter.snapshot().waiting == 0)
    }

    @Test func permitThatIsDroppedGivesItsSlotBack() async throws {
        let clock = ManualClock()
        let limiter = limiter(clock, SendLimitsConfiguration(maxInFlight: 1, maxInFlightPerNumber: 1))
        func takeAndDrop(_ index: Int) async throws {
            let asking = Task { try await limiter.admit(admission(index)) }
            // It goes at once when the clock ran ahead meanwhile.
            await advance(clock) { limiter.snapshot().inFlight == 1 }
            let permit = try await asking.value
            #expect(limiter.snapshot().inFlight == 1)
            guard index == 0 else { return }
            permit.report(.accepted)
            permit.report(.failed(.code(131_042)))
            #expect(limiter.snapshot().heldNumbers.isEmpty, "only the first report counts")
        }
        for index in 0..<3 {
            try await takeAndDrop(index)
            await eventually { limiter.snapshot().inFlight == 0 }
            #expect(limiter.snapshot().inFlight == 0)
        }
    }

    @Test func whatOneInstanceLearnsAnotherHeeds() async throws {
        let clock = ManualClock()
        let (one, two) = (limiter(clock), limiter(clock))
        let asking = Task { try await one.admit(admission()) }
        await eventually { one.snapshot().waiting > 0 }
        await advance(clock) { one.snapshot().inFlight == 1 }
        try await asking.value.report(.failed(.code(130_429)))
        let lessons = one.learned()
        #expect(lessons.map(\.key) == ["number:1"])
        #expect(one.learned().isEmpty, "told once")
        for lesson in lessons { two.learn(lesson) }
        #expect(abs((two.snapshot().rates["1"] ?? 0) - 56) < 1)
    }

    @Test func heldNumbersAreNamedForTheAlarm() async throws {
        let clock = ManualClock()
        let limiter = limiter(clock)
        let asking = Task { try await limiter.admit(admission()) }
        await eventually { limiter.snapshot().waiting > 0 }
        await advance(clock) { limiter.snapshot().inFlight == 1 }
        try await asking.value.report(.failed(.code(131_042)))
        #expect(limiter.snapshot().heldNumbers == ["1"])
        limiter.resume(number: "1")
        #expect(limiter.snapshot().heldNumbers.isEmpty)
    }
}
