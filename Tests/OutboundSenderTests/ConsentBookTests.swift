import EventLog
import ProcessorTesting
import Testing
import WhatsApp

@testable import outbound_sender

@Suite struct ConsentBookTests {
    private func change(_ isStopped: Bool, _ seconds: Int64, _ keys: Set<String>) -> ConsentChange {
        ConsentChange(conversationKeys: keys, isStopped: isStopped, at: Timestamp(seconds: seconds), source: .preference)
    }

    @Test func stopHoldsUntilALaterResumeInWhateverOrderTheyCome() async throws {
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let book = ConsentBook(MemoryState())
            let changes = [change(true, 1, ["7:1"]), change(false, 2, ["7:1"]), change(true, 3, ["7:1"])]
            for index in order { try await book.apply(changes[index]) }
            #expect(try await book.isStopped("7:1"))
            try await book.apply(change(false, 2, ["7:1"]))
            #expect(try await book.isStopped("7:1"), "an old resume that comes late")
            try await book.apply(change(false, 4, ["7:1"]))
            #expect(try await !book.isStopped("7:1"))
            #expect(try await !book.isStopped("7:2"))
        }
    }

    @Test func resumeUnderOneNameHoldsForTheOthersOfThePerson() async throws {
        let book = ConsentBook(MemoryState())
        try await book.apply(change(true, 1, ["7:1555", "7:US.1"]))
        #expect(try await book.isStopped("7:1555"))
        #expect(try await book.isStopped("7:US.1"))
        try await book.apply(change(false, 2, ["7:US.1"]))
        #expect(try await !book.isStopped("7:1555"))
    }

    @Test func stopIsKeptForEver() async throws {
        let state = MemoryState()
        try await ConsentBook(state).apply(change(true, 1, ["7:1"]))
        state.now = Timestamp(seconds: 4_000_000_000)
        #expect(try await ConsentBook(state).isStopped("7:1"))
    }
}
