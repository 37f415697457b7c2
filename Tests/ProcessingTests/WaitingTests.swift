import EventLog
import EventLogTesting
import Synchronization
import Testing

@testable import Processing

/// Waits that end by themselves, and what goes from owner to owner.
@Suite struct WaitingTests {
    /// A wait that ends by itself costs neither attempts nor age, before a failure and after it.
    @Test func waitsAreNotHeldAgainstARecord() async throws {
        try await World.with { world in
            let clock = ManualClock()
            let attempts = Journal()
            var processor = TestProcessor { record, context in
                let time = attempts.note("\(context.attempt)")
                let count = attempts.all.count
                if count % 4 == 0 { throw HandlerFailure.transient("down", "", retryAfter: .seconds(10)) }
                if count < 15, time > 0 { throw HandlerFailure.waiting("limit", "", retryAfter: .seconds(10_000)) }
                return [record.copy()]
            }
            processor.retry = RetryPolicy(maxAttempts: 5, maxAge: .seconds(5_000))
            try await world.write([("k", "0"), ("k", "1")])
            let runtime = world.start(processor, clock: clock) { $0.handlerTimeout = .seconds(1_000_000) }
            for handlings in 2...18 {
                // Little time goes by while it fails, much while it waits.
                let step = Duration.seconds(handlings % 4 == 1 ? 1 : 500)
                try await eventually("it is handled again") {
                    if try await world.read("out").count == 2 || attempts.all.count >= handlings { return true }
                    clock.advance(by: step)
                    return false
                }
            }
            try await eventually("both are done") { try await world.read("out").count == 2 }
            try await runtime.stop()
            #expect(try await world.read("out").map(\.valueText) == ["0", "1"], "in their order")
            #expect(attempts.all.prefix(15) == ["1", "1", "1", "1", "2", "2", "2", "2", "3", "3", "3", "3", "4", "4", "4"])
            #expect(try await world.read(World.letters).isEmpty)
        }
    }

    /// What a handler tells of its effects comes back, to the second, also to another owner.
    @Test func effectsThatWereBegunAreToldAcrossOwners() async throws {
        try await World.with { world in
            let clock = ManualClock()
            let told = Mutex<[BegunEffects]>([])
            var processor = TestProcessor { record, context in
                let count = told.withLock { told in
                    told.append(context.begun)
                    return told.count
                }
                var failure = HandlerFailure.waiting("limit", "", retryAfter: .seconds(1), effect: .none)
                if count % 2 == 0 { failure = .outage("down", "", scope: .named("it"), effect: .none) }
                failure.begun = BegunEffects(count: count, first: record.timestamp + .seconds(42))
                throw failure
            }
            processor.work = .concurrent(limit: 2)
            try await world.write([("k", "0")])
            for life in 1...2 {
                let before = told.withLock(\.count)
                let runtime = world.start(processor, clock: clock) { $0.handlerTimeout = .seconds(1_000_000) }
                try await eventually("it is handled three times") {
                    clock.advance(by: .seconds(60))
                    return told.withLock(\.count) >= before + 3
                }
                try await runtime.stop()
                let (counts, firsts) = told.withLock { told in (told.map(\.count), told.dropFirst().map(\.first)) }
                #expect(counts == Array(0..<counts.count), "life \(life)")
                #expect(Set(firsts).count == 1 && firsts[0] != nil)
            }
            #expect(told.withLock { told in !told.contains { $0.isLowerBound } })
        }
    }
}
