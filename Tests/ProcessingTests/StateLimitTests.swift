import EventLog
import EventLogTesting
import ProcessorTesting
import Testing

@testable import Processing

@Suite struct StateLimitTests {
    /// Writes each record's key for 60 seconds.
    private func keeper(_ limits: StateLimits) -> TestProcessor {
        var processor = TestProcessor { record, context in
            try await context.state.set(record.keyText, to: [], expires: context.now + .seconds(60))
            return [record.copy()]
        }
        processor.state = .surviving(.all)
        processor.stateLimits = limits
        return processor
    }

    /// Nothing is dropped, nobody is dead-lettered: the processor stands until there is room.
    @Test func aStateFullOfWhatMustSurviveIsAnOutage() async throws {
        try await World.with { world in
            let clock = ManualClock()
            try await world.write((0..<12).map { ("key-\($0 + 10)", "\($0)") })
            let runtime = world.start(keeper(StateLimits(maxBytes: 60)), clock: clock) {
                $0.maxBatchRecords = 5
                $0.handlerTimeout = .seconds(1_000_000)
            }
            try await eventually("it is full") { try await world.progress() == Progress(offset: 12) }
            try await world.write((12..<30).map { ("key-\($0 + 10)", "\($0)") })
            try await Task.sleep(for: .milliseconds(300))
            #expect(try await world.progress() == Progress(offset: 12))
            try await eventually("room comes with time") {
                clock.advance(by: .seconds(10))
                return try await world.progress() == Progress(offset: 30)
            }
            try await runtime.stop()
            #expect(try await world.read("out").count == 30)
            #expect(try await world.read(World.letters).isEmpty)
        }
    }

    @Test func entriesWithoutATimeOfTheirOwnGoAfterTheLongestAge() async throws {
        let state = Memory()
        let rules = StateRules(
            survivors: .beginning(with: ["kept/"]), limits: StateLimits(maxAge: .seconds(100)),
            wallTime: { Timestamp(seconds: 1_000) }, isFull: { false })
        let scope = StateScope(parent: state, rules: rules)
        try await scope.set("a", to: [1], expires: nil)
        try await scope.set("b", to: [1], expires: Timestamp(seconds: 1_050))
        try await scope.set("c", to: [1], expires: Timestamp(seconds: 9_000))
        try await scope.set("kept/a", to: [1], expires: nil)
        try await scope.set("kept/b", to: [1], expires: Timestamp(seconds: 9_000))
        let expires = scope.take().mapValues { $0.expires.map { $0.milliseconds / 1_000 } }
        #expect(expires == ["a": 1_100, "b": 1_050, "c": 1_100, "kept/a": nil, "kept/b": 1_100])
    }

    @Test func whatIsNoEntryIsRefused() async throws {
        let rules = StateRules(
            survivors: .beginning(with: ["kept/"]), limits: StateLimits(), wallTime: { Timestamp(seconds: 0) },
            isFull: { false })
        let scope = StateScope(parent: Memory(), rules: rules)
        for key in ["", "\u{0}seal", String(repeating: "k", count: 1_025)] {
            await #expect(throws: HandlerFailure.self) { try await scope.set(key, to: [1], expires: nil) }
        }
        let large = [UInt8](repeating: 0, count: StateRules.maxSurvivingBytes + 1)
        await #expect(throws: HandlerFailure.self) { try await scope.set("kept/a", to: large, expires: nil) }
        try await scope.set("a", to: large, expires: nil)
        #expect(scope.take().count == 1)
    }

    @Test func aFullStateStillTakesWhatItKnowsAndRemovals() async throws {
        let state = Memory()
        try await state.store.set("kept/a", to: [1], expires: nil)
        let rules = StateRules(
            survivors: .beginning(with: ["kept/"]), limits: StateLimits(), wallTime: { Timestamp(seconds: 0) },
            isFull: { true })
        let scope = StateScope(parent: state, rules: rules)
        try await scope.set("kept/a", to: [2], expires: nil)
        try await scope.set("kept/b", to: nil, expires: nil)
        try await scope.set("plain", to: [1], expires: nil)
        await #expect(throws: HandlerFailure.self) { try await scope.set("kept/c", to: [1], expires: nil) }
    }
}

/// A state in memory.
private struct Memory: StateStore {
    let store = MemoryState()
    func value(_ key: String) async throws -> [UInt8]? { try await store.value(key) }
    func set(_ key: String, to value: [UInt8]?, expires: Timestamp?) async throws {
        try await store.set(key, to: value, expires: expires)
    }
}

@Suite struct DeduplicationTests {
    private static let hour = Duration.seconds(3_600)
    private static let start = Timestamp(seconds: 1_700_000_000)

    @Test func withAnEntryForEachIDTheFirstIsToldFromItsCopies() async throws {
        let state = MemoryState()
        let ids = Deduplication(window: Self.hour)
        state.now = Self.start
        #expect(try await ids.isFirst("a", at: Self.start, in: state))
        #expect(try await !ids.isFirst("a", at: Self.start + .seconds(3_599), in: state))
        #expect(try await ids.isFirst("b", at: Self.start, in: state))
        state.now = Self.start + Self.hour
        #expect(try await ids.isFirst("a", at: state.now, in: state))
    }

    @Test func aValueIsRememberedFromItsOwnStartOn() async throws {
        let state = MemoryState()
        let ids = Deduplication(window: Self.hour)
        try await ids.remember("c", as: [7], from: Self.start + Self.hour, in: state)
        state.now = Self.start + .seconds(7_199)
        #expect(try await ids.memory(of: "c", in: state) == [7])
        state.now = Self.start + .seconds(7_200)
        #expect(try await ids.memory(of: "c", in: state) == nil)
    }

    /// Copies carry their original's time, however late they come.
    @Test func inBucketsCopiesAreFoundByTheTimeOfTheEvent() async throws {
        let state = MemoryState()
        let ids = Deduplication(window: Self.hour * 192, bucket: Self.hour)
        for n in 0..<2_000 {
            let time = Self.start + .seconds(n * 60)
            #expect(try await ids.isFirst("id\(n)", of: time, at: time, in: state))
        }
        state.now = Self.start + Self.hour * 100
        for n in 0..<2_000 {
            let time = Self.start + .seconds(n * 60)
            #expect(try await !ids.isFirst("id\(n)", of: time, at: state.now, in: state))
        }
        #expect(try await ids.isFirst("id0", of: Self.start + Self.hour, at: state.now, in: state))
        #expect(state.keys.count <= 2_001)
    }

    @Test func aBucketGoesAfterItsWindow() async throws {
        let state = MemoryState()
        let ids = Deduplication(window: Self.hour, bucket: Self.hour)
        state.now = Self.start
        #expect(try await ids.isFirst("a", of: Timestamp(milliseconds: -5), at: Self.start, in: state))
        state.now = Self.start + Self.hour
        #expect(state.keys.isEmpty)
    }

    /// They are on disks.
    @Test func hashesNeverChange() {
        #expect(Deduplication.hash("") == 0xf52a15e9a9b5e89b)
        #expect(Deduplication.hash("wamid.1") == 0x12c8eec8d5fbbc02)
        #expect(Set((0..<100_000).map { Deduplication.hash("id\($0)") }).count == 100_000)
    }
}
