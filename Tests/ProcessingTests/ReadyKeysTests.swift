import EventLog
import EventLogTesting
import Testing

@testable import Processing

@Suite struct ReadyKeysTests {
    /// Keys that are named after their scopes: `a0`, `a1`, …
    private struct Bench {
        var keys: ReadyKeys
        /// The hands that are busy.
        var busy: [(scope: String, place: Int)] = []

        init(hands: Int) { keys = ReadyKeys(hands: hands) }

        static func key(_ scope: String, _ number: Int) -> RecordKey { .bytes(Array("\(scope)\(number)".utf8)) }
        static func scope(of key: RecordKey) -> String {
            if case .bytes(let bytes) = key { String(decoding: bytes.prefix(1), as: UTF8.self) } else { "" }
        }

        mutating func crowd(_ scope: String, _ count: Int) {
            for number in 0..<count { keys.append(Self.key(scope, number), of: scope) }
        }

        mutating func beginOne() -> RecordKey? {
            guard let begun = keys.begin() else { return nil }
            busy.append((Self.scope(of: begun.key), begun.scope))
            return begun.key
        }

        /// Scopes of all that can begin.
        mutating func begin() -> [String] {
            var scopes: [String] = []
            while let key = beginOne() { scopes.append(Self.scope(of: key)) }
            return scopes
        }

        mutating func end(_ index: Int) { keys.end(busy.remove(at: index).place) }
        mutating func end(_ scope: String) throws { end(try #require(busy.firstIndex { $0.scope == scope })) }
        var held: [String: Int] { Dictionary(grouping: busy, by: \.scope).mapValues(\.count) }
    }

    @Test func aScopeThatIsAloneGetsItsHandsAndNoMore() throws {
        var bench = Bench(hands: 4)
        bench.crowd("a", 10)
        #expect(bench.begin() == ["a", "a", "a", "a"])
        try bench.end("a")
        #expect(bench.begin() == ["a"])
    }

    @Test func whoeverComesNextFindsHandsWhateverTheOthersHold() throws {
        var bench = Bench(hands: 32)
        for scope in ["a", "b", "c", "d", "e", "f"] {
            bench.crowd(scope, 100)
            #expect(bench.begin().contains(scope), "\(scope) waits behind those before it")
        }
        // One was left. The next one that is free is for who has none.
        bench.crowd("g", 1)
        #expect(bench.begin() == ["g"])
        bench.crowd("h", 100)
        #expect(bench.begin().isEmpty)
        try bench.end("a")
        #expect(bench.begin() == ["h"])
    }

    @Test func inTimeAllHaveAboutTheSame() {
        var bench = Bench(hands: 8)
        for scope in ["a", "b", "c"] {
            bench.crowd(scope, 1_000)
            _ = bench.begin()
        }
        #expect(bench.held == ["a": 8, "b": 4, "c": 2])
        var random = SeededGenerator(seed: 1)
        for _ in 0..<500 {
            bench.end(Int.random(in: bench.busy.indices, using: &random))
            _ = bench.begin()
        }
        #expect(bench.held.count == 3 && bench.held.allSatisfy { (3...5).contains($0.value) }, "\(bench.held)")
    }

    @Test func scopesTakeTurns() {
        var bench = Bench(hands: 6)
        for scope in ["a", "b", "c"] { bench.crowd(scope, 100) }
        #expect(bench.begin() == ["a", "b", "c", "a", "b", "c", "a", "b", "c"])
    }

    /// Whatever comes and ends: each key is begun once, in the order of its scope, and when all hands are free again every
    /// key is taken.
    @Test(arguments: 0..<20 as Range<UInt64>)
    func noKeyAndNoHandIsLost(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        var bench = Bench(hands: Int.random(in: 1...5, using: &random))
        var waiting: [String: [RecordKey]] = [:]
        func begun(_ key: RecordKey) {
            let scope = Bench.scope(of: key)
            #expect(waiting[scope]?.first == key, "seed \(seed)")
            waiting[scope]?.removeFirst()
        }
        for number in 0..<400 {
            switch Int.random(in: 0..<3, using: &random) {
            case 0:
                let scope = ["a", "b", "c", "d"].randomElement(using: &random)!
                bench.keys.append(Bench.key(scope, number), of: scope)
                waiting[scope, default: []].append(Bench.key(scope, number))
            case 1: if let key = bench.beginOne() { begun(key) }
            default: if let index = bench.busy.indices.randomElement(using: &random) { bench.end(index) }
            }
        }
        while true {
            while !bench.busy.isEmpty { bench.end(0) }
            guard let key = bench.beginOne() else { break }
            begun(key)
        }
        #expect(waiting.allSatisfy { $0.value.isEmpty }, "seed \(seed)")
    }
}
