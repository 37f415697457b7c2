import EventLog
import EventLogTesting
import ProcessorTesting
import Testing
import WhatsApp

@testable import outbound_sender

@Suite struct ConsentBookTests {
    /// The books of all partitions, and the topic between them: one book for each name of a person.
    private final class Town {
        let states: [String: MemoryState]
        private var onTheWay: [(key: String, consent: Consent)] = []
        private(set) var delivered = 0

        init(_ names: Set<String>) { states = Dictionary(uniqueKeysWithValues: names.map { ($0, MemoryState()) }) }

        func hear(_ change: ConsentChange) {
            for key in change.conversationKeys { onTheWay.append((key, change.consent(for: key))) }
        }

        /// Delivers until nothing is on the way: each name's records in order, names in any.
        func settle(_ random: inout SeededGenerator) async throws {
            while let key = onTheWay.map(\.key).randomElement(using: &random),
                let index = onTheWay.firstIndex(where: { $0.key == key })
            {
                let (key, consent) = onTheWay.remove(at: index)
                let news = try await ConsentBook(try #require(states[key])).merge(consent, of: key)
                onTheWay += news.map { (key: $0.key, consent: $0.value) }
                delivered += 1
                try #require(delivered < 10_000, "the news goes round in circles")
            }
        }

        func isStopped(_ key: String) async throws -> Bool {
            try await ConsentBook(try #require(states[key])).isStopped(key)
        }
    }

    private static func change(_ isStopped: Bool, _ seconds: Int64, _ keys: Set<String>) -> ConsentChange {
        ConsentChange(conversationKeys: keys, isStopped: isStopped, at: Timestamp(seconds: seconds), source: .preference)
    }

    /// Whatever the order, all names of a person that any event has named together end with the latest word.
    @Test(arguments: 0..<30 as Range<UInt64>)
    func allNamesOfAPersonLearnTheLatestWord(seed: UInt64) async throws {
        var random = SeededGenerator(seed: seed)
        var changes = [
            Self.change(true, 1, ["7:1", "7:US.1"]), Self.change(false, 2, ["7:US.1"]),
            Self.change(true, 3, ["7:US.1", "7:P.1"]), Self.change(true, 9, ["7:2"]), Self.change(false, 9, ["7:2"]),
        ]
        if seed % 2 == 1 { changes.append(Self.change(false, 4, ["7:P.1"])) }
        changes.shuffle(using: &random)
        let town = Town(["7:1", "7:US.1", "7:P.1", "7:2"])
        for change in changes + changes {
            town.hear(change)
            if Bool.random(using: &random) { try await town.settle(&random) }
        }
        try await town.settle(&random)
        for name in ["7:1", "7:US.1", "7:P.1"] { #expect(try await town.isStopped(name) == (seed % 2 == 0), "seed \(seed)") }
        #expect(try await town.isStopped("7:2"), "of two words of one moment the stop counts")
    }

    /// The topic is compacted: its newest record of a key must be what the book holds.
    @Test func anOldWordThatComesLateIsCorrectedOnTheTopic() async throws {
        let book = ConsentBook(MemoryState())
        let stop = Self.change(true, 5, ["7:1"]).consent(for: "7:1")
        #expect(try await book.merge(stop, of: "7:1").isEmpty)
        let late = Self.change(false, 4, ["7:1"]).consent(for: "7:1")
        #expect(try await book.merge(late, of: "7:1") == ["7:1": stop])
        #expect(try await book.merge(stop, of: "7:1").isEmpty, "what it holds is no news")
        #expect(try await book.isStopped("7:1"))
    }

    @Test func stopIsKeptForEver() async throws {
        let state = MemoryState()
        _ = try await ConsentBook(state).merge(Self.change(true, 1, ["7:1"]).consent(for: "7:1"), of: "7:1")
        state.now = Timestamp(seconds: 4_000_000_000)
        #expect(try await ConsentBook(state).isStopped("7:1"))
    }
}
