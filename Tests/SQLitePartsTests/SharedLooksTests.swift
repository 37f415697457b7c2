import SQLiteParts
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(1))) struct SharedLooksTests {
    private struct Missing: Error, Equatable {}

    /// What was asked with each look, and looks that wait until they are let go.
    private final class Place: Sendable {
        let looks = Mutex<[[Int]]>([])
        let gate = AsyncStream<Void>.makeStream()

        var questions: [[Int]] { looks.withLock { $0 } }

        func look(_ asked: [Int]) async -> [Result<Int, any Error>] {
            looks.withLock { $0.append(asked.sorted()) }
            for await _ in gate.stream { break }
            return asked.map { $0 < 0 ? .failure(Missing()) : .success($0 * 10) }
        }
    }

    private final class Begun: Sendable {
        let count = Atomic(0)
    }

    private func eventually(_ condition: () -> Bool) async {
        while !condition() && !Task.isCancelled { await Task.yield() }
    }

    @Test func thoseWhoAskDuringALookShareTheNextOne() async throws {
        let place = Place()
        let begun = Begun()
        let looks = SharedLooks<Int, Int, any Error> { await place.look($0) }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            group.addTask { try await looks.ask(0) == 0 }
            await eventually { place.questions.count == 1 }
            for question in 1...50 {
                group.addTask {
                    begun.count.add(1, ordering: .relaxed)
                    return try await looks.ask(question) == question * 10
                }
            }
            await eventually { begun.count.load(ordering: .relaxed) == 50 }
            place.gate.continuation.yield()
            for _ in 0..<50 { place.gate.continuation.yield() }
            for try await isRight in group { #expect(isRight, "each gets the answer to its own question") }
        }
        #expect(place.questions.first == [0], "who came later is not answered by a look that had begun")
        #expect(place.questions.flatMap { $0 }.sorted() == Array(0...50))
        #expect(place.questions.count < 51)
    }

    @Test func aFailureIsTheAnswerOfItsOwnQuestion() async throws {
        let place = Place()
        let looks = SharedLooks<Int, Int, any Error> { await place.look($0) }
        for _ in 0..<2 { place.gate.continuation.yield() }
        await #expect(throws: Missing.self) { try await looks.ask(-1) }
        #expect(try await looks.ask(2) == 20)
    }
}
