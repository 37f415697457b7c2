import EventLog
import EventLogTesting
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

    @Test func lookupsOfACrowdEachGetTheirOwnAndSeeWhatWasWrittenBefore() async throws {
        try await withFolder { folder in
            let store = try await SQLiteStateStore.open(folder + "/0.db")
            for round in UInt8(0)..<20 {
                try await store.write(.init(writes: ["\(round)": StateEntry(value: [round])], now: Timestamp(seconds: 0)))
                try await withThrowingTaskGroup(of: (UInt8, [UInt8]?).self) { group in
                    for key in UInt8(0)..<40 { group.addTask { (key, try await store.value("\(key)")) } }
                    for try await (key, value) in group { #expect(value == (key <= round ? [key] : nil)) }
                }
            }
        }
    }

    @Test func aTopicThatStoodStillKeepsItsProgress() async throws {
        try await withFolder { folder in
            let (t, u) = (Progress(offset: 9, parked: [1]), Progress(offset: 3))
            let moved = Progress(offset: 4)
            do {
                let store = try await SQLiteStateStore.open(folder + "/0.db")
                try await store.write(.init(progress: ["t": t, "u": u], now: Timestamp(seconds: 0)))
                try await store.write(.init(progress: ["t": t, "u": moved], now: Timestamp(seconds: 0)))
                try await store.write(.init(progress: ["t": t, "u": u], now: Timestamp(seconds: 0)))
            }
            let store = try await SQLiteStateStore.open(folder + "/0.db")
            #expect(try await store.progress() == ["t": t, "u": u])
        }
    }

    @Test func progressOfAFormerFileIsTakenOver() async throws {
        try await withFolder { folder in
            do {
                let store = try await SQLiteStateStore.open(folder + "/0.db")
                try await store.pool.write { db in
                    try db.execute(
                        sql: """
                            DROP TABLE progress;
                            CREATE TABLE progress (topic TEXT PRIMARY KEY, offset INTEGER NOT NULL) WITHOUT ROWID;
                            CREATE TABLE exception (topic TEXT NOT NULL, first INTEGER NOT NULL, end INTEGER NOT NULL);
                            INSERT INTO progress VALUES ('t', 9), ('u', 3);
                            INSERT INTO exception VALUES ('t', 1, 3), ('t', 5, 6)
                            """)
                }
            }
            let former: [Topic: Progress] = ["t": Progress(offset: 9, parked: [1, 2, 5]), "u": Progress(offset: 3)]
            for _ in 0..<2 {
                let store = try await SQLiteStateStore.open(folder + "/0.db")
                #expect(try await store.progress() == former)
            }
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

    private func open(_ folder: String, maxBytes: Int = 1 << 20) async throws -> SQLiteStateStore {
        try await .open(
            folder + "/0.db", survivors: .beginning(with: ["kept/"]), limits: StateLimits(maxBytes: maxBytes))
    }

    @Test func aFullStateForgetsWhatWasWrittenLongestAgo() async throws {
        try await withFolder { folder in
            let store = try await open(folder, maxBytes: 1_000)
            let value = [UInt8](repeating: 1, count: 17)
            var evicted = 0
            for n in 100..<200 {
                let writes: StateWrites = ["\(n)": StateEntry(value: value), "kept/\(n)": StateEntry(value: [])]
                evicted += try await store.write(.init(writes: writes, now: Timestamp(seconds: 0))).evicted
                // Written again it is young.
                let again = StateEntry(value: value)
                try await store.write(.init(writes: ["100": again], now: Timestamp(seconds: 0)))
            }
            #expect(store.size.total <= 1_000)
            #expect(store.size.surviving == 800)
            #expect(evicted > 0)
            #expect(try await store.value("100") != nil)
            #expect(try await store.value("199") != nil)
            #expect(try await store.value("101") == nil)
            for n in 100..<200 { #expect(try await store.value("kept/\(n)") == []) }
        }
    }

    @Test func itsSizeIsWhatItHolds() async throws {
        try await withFolder { folder in
            var random = SeededGenerator(seed: 1)
            var store = try await open(folder)
            var held: StateWrites = [:]
            for round in 0..<60 {
                var writes: StateWrites = [:]
                for _ in 0..<20 {
                    let key = (Bool.random(using: &random) ? "kept/" : "é/") + "\(Int.random(in: 0..<40, using: &random))"
                    let count = Int.random(in: 0..<50, using: &random)
                    writes[key] = StateEntry(value: Bool.random(using: &random) ? [UInt8](repeating: 7, count: count) : nil)
                }
                try await store.write(.init(writes: writes, now: Timestamp(seconds: 0)))
                held.merge(writes) { _, new in new }
                if round % 20 == 0 { store = try await open(folder) }
            }
            let bytes = held.reduce(0) { sum, entry in
                sum + (entry.value.value.map { entry.key.utf8.count + $0.count } ?? 0)
            }
            #expect(store.size.total == Int64(bytes))
            try await store.clearSurvivors()
            #expect(store.size.surviving == 0)
            #expect(try await store.value("kept/1") == nil)
        }
    }

    @Test func entriesThatAreDeclaredToSurviveLaterAreDoubtedBecauseNoTopicHasThem() async throws {
        try await withFolder { folder in
            do {
                let former = try await SQLiteStateStore.open(folder + "/0.db")
                let writes: StateWrites = ["kept/a": StateEntry(value: [1]), "b": StateEntry(value: [2])]
                try await former.write(.init(writes: writes, now: Timestamp(seconds: 0)))
            }
            let store = try await open(folder)
            #expect(try await store.value("kept/a") == [1])
            #expect(try await store.value("b") == [2])
            #expect(try await store.doubted(limit: 10) == ["kept/a": StateEntry(value: [1])])
            #expect(store.size == StateSizes(plain: 2, surviving: 7))
        }
    }
}
