import EventLog
import Testing

@testable import Processing

@Suite struct SQLiteStateStoreTests {
    @Test func entriesAndProgressComeBackTogether() async throws {
        try await withFolder { folder in
            let progress: [Topic: Progress] = ["t": Progress(offset: 9, parked: [1, 2, 5]), "u": Progress(offset: 3)]
            do {
                let store = try await SQLiteStateStore.open(folder + "/deep/0.db")
                let writes: StateWrites = ["a": StateEntry(value: [0, 255]), "b": StateEntry(value: [])]
                try await store.write(.init(writes: writes, progress: progress, now: Timestamp(seconds: 0)))
                try await store.write(.init(writes: ["b": StateEntry(value: nil)], now: Timestamp(seconds: 0)))
            }
            let store = try await SQLiteStateStore.open(folder + "/deep/0.db")
            #expect(try await store.value("a") == [0, 255])
            #expect(try await store.value("b") == nil)
            #expect(try await store.progress() == progress)
        }
    }

    @Test func entriesAreForgottenAfterTheirTime() async throws {
        try await withFolder { folder in
            let store = try await SQLiteStateStore.open(folder + "/0.db")
            let writes: StateWrites = [
                "old": StateEntry(value: [1], expires: Timestamp(seconds: 10)),
                "young": StateEntry(value: [1], expires: Timestamp(seconds: 20)), "eternal": StateEntry(value: [1]),
            ]
            try await store.write(.init(writes: writes, now: Timestamp(seconds: 9)))
            #expect(try await store.value("old") == [1])
            try await store.write(.init(now: Timestamp(seconds: 10)))
            #expect(try await store.value("old") == nil)
            #expect(try await store.value("young") == [1])
            #expect(try await store.value("eternal") == [1])
        }
    }

    @Test func aFormerOwnerCannotWrite() async throws {
        try await withFolder { folder in
            let former = try await SQLiteStateStore.open(folder + "/0.db")
            let owner = try await SQLiteStateStore.open(folder + "/0.db")
            await #expect(throws: SQLiteStateStore.Superseded.self) {
                try await former.write(
                    .init(
                        writes: ["a": StateEntry(value: [1])], progress: ["t": Progress(offset: 5)],
                        now: Timestamp(seconds: 0)))
            }
            #expect(try await owner.value("a") == nil)
            #expect(try await owner.progress().isEmpty)
            try await owner.write(.init(writes: ["a": StateEntry(value: [2])], now: Timestamp(seconds: 0)))
            #expect(try await owner.value("a") == [2])
        }
    }

    @Test func aScopeCountsOnlyWhenItIsTaken() async throws {
        let outer = StateScope(parent: NoState())
        let inner = StateScope(parent: outer)
        try await inner.set("a", to: [1], expires: nil)
        #expect(try await inner.value("a") == [1])
        #expect(try await outer.value("a") == nil)
        outer.merge(inner.take())
        #expect(try await outer.value("a") == [1])
        #expect(try await inner.isFirst("x", within: .seconds(1), now: Timestamp(seconds: 0)))
        #expect(try await !inner.isFirst("x", within: .seconds(1), now: Timestamp(seconds: 0)))
        #expect(try await outer.isFirst("x", within: .seconds(1), now: Timestamp(seconds: 0)))
    }

    @Test func writesStayVisibleWhileTheyAreFlushedAndNewerOnesWin() {
        var overlay = StateOverlay()
        overlay.merge(["a": StateEntry(value: [1]), "b": StateEntry(value: [1])])
        let first = overlay.takeForFlush()
        #expect(first.count == 2)
        overlay.merge(["a": StateEntry(value: [2])])
        #expect(overlay["a"]?.value == [2])
        #expect(overlay["b"]?.value == [1])
        overlay.flushed()
        #expect(overlay["a"]?.value == [2])
        #expect(overlay["b"] == nil)
        let second = overlay.takeForFlush()
        #expect(second == ["a": StateEntry(value: [2])])
    }
}
