import EventLog
import Synchronization

/// Assignments that are being opened, each by a task of its own: a restore takes its time, and what the group says
/// meanwhile must be heard.
final class Openings<C: Clock>: Sendable where C.Duration == Duration {
    typealias Assignment = [TopicPartition: Commit?]

    private struct Opening {
        let id: Int
        let assignment: Assignment
        /// The lanes that work now; nil when it was given up.
        let task: Task<[Lane<C>]?, Never>
        /// Not ours any more.
        var gone: Set<TopicPartition> = []

        func touches(_ sources: some Sequence<TopicPartition>) -> Bool { sources.contains { assignment[$0] != nil } }
    }

    private struct Book {
        var lastID = 0
        var open: [Opening] = []
        var restores: [TopicPartition: RestoreProgress] = [:]
    }

    private let book = Mutex(Book())

    var isEmpty: Bool { book.withLock(\.open.isEmpty) }
    var restores: [TopicPartition: RestoreProgress] { book.withLock(\.restores) }
    func note(_ state: TopicPartition, _ progress: RestoreProgress?) { book.withLock { $0.restores[state] = progress } }

    /// Opens after what was begun before for the same partitions has ended.
    func begin(_ assignment: Assignment, _ open: @escaping @Sendable (Assignment) async -> [Lane<C>]?) {
        book.withLock { book in
            let earlier = book.open.filter { $0.touches(assignment.keys) }.map(\.task)
            book.lastID += 1
            let id = book.lastID
            let task = Task {
                for task in earlier { _ = await task.value }
                let lanes = Task.isCancelled ? nil : await open(assignment)
                end(id)
                return lanes
            }
            book.open.append(Opening(id: id, assignment: assignment, task: task))
        }
    }

    /// These are not ours any more. Returns when nobody opens them: with lanes that were made in the last moment, and with
    /// what else was given up along with them and is to be begun anew.
    func interrupt(_ sources: [TopicPartition]) async -> (lanes: [Lane<C>], rest: Assignment) {
        let hit = book.withLock { book in
            for index in book.open.indices where book.open[index].touches(sources) {
                book.open[index].gone.formUnion(sources)
            }
            return book.open.filter { $0.touches(sources) }
        }
        for opening in hit { opening.task.cancel() }
        var lanes: [Lane<C>] = []
        var rest: Assignment = [:]
        for opening in hit {
            let made = await opening.task.value
            let ended = book.withLock { book in
                book.open.firstIndex { $0.id == opening.id }.map { book.open.remove(at: $0) }
            }
            // Others may have interrupted it too: the first one goes on with the rest.
            guard let ended else { continue }
            lanes += (made ?? []).filter { !ended.gone.isDisjoint(with: $0.sources) }
            if made == nil { rest.merge(ended.assignment.filter { !ended.gone.contains($0.key) }) { new, _ in new } }
        }
        return (lanes, rest)
    }

    /// Ends all of them.
    func stop() async {
        let tasks = book.withLock { $0.open.map(\.task) }
        for task in tasks { task.cancel() }
        for task in tasks { _ = await task.value }
    }

    func cancel() { for opening in book.withLock(\.open) { opening.task.cancel() } }

    private func end(_ id: Int) {
        book.withLock { book in book.open.removeAll { $0.id == id && $0.gone.isEmpty } }
    }
}
