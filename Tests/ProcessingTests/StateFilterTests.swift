import EventLog
import Testing

@testable import Processing

@Suite struct StateFilterTests {
    @Test func saysNothingBeforeItKnowsAllAndNeverDeniesWhatIsThere() {
        let filter = StateFilter()
        #expect(filter.mayHold("a"))
        #expect(filter.begin(expecting: 0))
        let keys = (0..<10_000).map { "sent/\($0)" }
        filter.insert(keys)
        #expect(filter.mayHold("other"), "the disk may hold more")
        filter.complete()
        #expect(keys.allSatisfy { filter.mayHold($0) })
        let strangers = (0..<10_000).count { filter.mayHold("other/\($0)") }
        #expect(strangers < 2_500, "most lookups are spared: \(strangers)")
    }

    @Test func overFullItKnowsNothingUntilItIsFilledAnew() {
        let filter = StateFilter()
        #expect(filter.begin(expecting: 0))
        filter.complete()
        let keys = (0...StateFilter.leastKeys).map { "\($0)" }
        let count = filter.insert(keys)
        #expect(count == keys.count)
        #expect(filter.mayHold("stranger"))
        #expect(filter.insert(["x"]) == nil, "asked for once")
        #expect(filter.begin(expecting: keys.count))
        filter.insert(keys)
        filter.complete()
        #expect(keys.allSatisfy { filter.mayHold($0) })
        #expect(!filter.begin(expecting: StateFilter.maxKeys))
        #expect(filter.mayHold("stranger"), "too many to be worth it")
    }

    /// On a disk that held keys before, holds more than it was made for, and is written meanwhile.
    @Test func storeFindsEveryKeyWhileItsFilterIsFilled() async throws {
        try await withFolder { folder in
            func write(_ store: SQLiteStateStore, _ range: Range<Int>) async throws {
                let entries = range.map { ("k\($0)", StateEntry(value: [UInt8(truncatingIfNeeded: $0)])) }
                try await store.write(.init(writes: Dictionary(uniqueKeysWithValues: entries), now: Timestamp(seconds: 0)))
            }
            try await write(SQLiteStateStore.open(folder + "/0.db"), 0..<30_000)
            let store = try await SQLiteStateStore.open(folder + "/0.db")
            for round in 30..<90 {
                try await write(store, round * 1_000..<(round + 1) * 1_000)
                for index in stride(from: 0, to: (round + 1) * 1_000, by: 997) {
                    #expect(try await store.value("k\(index)") == [UInt8(truncatingIfNeeded: index)])
                }
                #expect(try await store.value("k\((round + 1) * 1_000)") == nil)
            }
        }
    }
}
