import EventLog
import Processing
import Synchronization

/// What this instance knows of commands that are not at their end: attempts made, answers lost, evidence that came.
///
/// In memory alone. What must survive a kill is on the log: the mark that an effect was begun, and the statuses. Whoever
/// takes a command over begins with a doubt and asks the archive. Bounded by the commands that run or are parked here.
final class OpenCommands: Sendable {
    /// Whether the API may have accepted an attempt that nobody knows the end of.
    enum Doubt: Sendable, Hashable {
        case none
        /// Since when, by our clock; and the time that statuses of the number had covered by then (`StatusFlow`).
        case open(since: Timestamp, flow: Duration)
        /// The policy was to send again: what becomes of the earlier attempts is not asked any more.
        case settled
    }

    struct State: Sendable {
        /// Requests that went out from here.
        var attempts = 0
        var firstAttemptAt: Timestamp?
        /// An earlier owner may have made more of them, and earlier ones.
        var isLowerBound = false
        /// Of these, sent again after a doubt: once for each.
        var resends = 0
        var mustCountResend = false
        var doubt = Doubt.none
        /// A request went out and has not ended.
        var isUnderWay = false
        var evidence: Evidence?
        /// The archive was asked since the doubt arose.
        var isSearched = false
        /// See `NumberHealth`.
        var seenHealth: UInt64?

        var begun: BegunEffects { BegunEffects(count: attempts, first: firstAttemptAt, isLowerBound: isLowerBound) }
        var isInDoubt: Bool { if case .open = doubt { true } else { false } }
        /// A status could bring news, also after it was decided to send again: until that has gone out.
        var isWaiting: Bool { isUnderWay || doubt != .none }
    }

    fileprivate struct Entry {
        let partition: Int32
        let conversation: String
        var state: State
    }

    fileprivate struct Book {
        var entries: [String: Entry] = [:]
        /// How many commands of a conversation there are for which a status could bring news.
        var waiting: [String: Int] = [:]
        /// Commands in doubt.
        var doubts = 0
        var owned: Set<Int32> = []
        /// Counted up whenever a partition becomes ours: what an earlier ownership left behind is not believed.
        var terms: [Int32: UInt64] = [:]
    }

    private let book = Mutex(Book())

    // MARK: Partitions

    /// Forgets what belongs to partitions that are not ours, or ours anew: somebody else may have acted meanwhile.
    /// Answers the commands that were forgotten.
    @discardableResult
    func partitionsChanged(_ owned: Set<Int32>) -> [String] {
        book.withLock { book in
            for partition in owned.subtracting(book.owned) { book.terms[partition, default: 0] += 1 }
            let stays = book.owned.intersection(owned)
            book.owned = owned
            let gone = book.entries.filter { !stays.contains($0.value.partition) }.map(\.key)
            for id in gone { book.remove(id) }
            return gone
        }
    }

    // MARK: A command's way

    /// A command is handled.
    ///
    /// - Parameters:
    ///   - begun: requests that went out before, says the log: believed of a command that this instance does not know.
    ///   - isUnknown: of the last of them nobody knows how it ended.
    func open(
        _ id: String, _ conversation: String, in partition: Int32, begun: BegunEffects, isUnknown: Bool, now: Timestamp,
        flow: @autoclosure () -> Duration
    ) -> OpenCommand {
        let flow = isUnknown ? flow() : .zero
        return book.withLock { book in
            let isNew = book.entries[id] == nil
            var entry = book.entries[id] ?? Entry(partition: partition, conversation: conversation, state: State())
            if isNew {
                (entry.state.attempts, entry.state.firstAttemptAt) = (begun.count, begun.first)
                entry.state.isLowerBound = begun.isLowerBound
            }
            // Ours that ended without an answer, or somebody else's.
            if isUnknown, isNew || entry.state.isUnderWay {
                entry.state.attempts = max(1, entry.state.attempts)
                entry.state.doubt = .open(since: now, flow: flow)
                entry.state.isSearched = false
                entry.state.isUnderWay = false
            }
            let term = book.terms[partition, default: 0]
            if isUnknown || isNew && (begun.count > 0 || begun.isLowerBound) { book.put(entry, id) }
            return OpenCommand(id: id, conversation: conversation, partition: partition, term: term, book: self)
        }
    }

    fileprivate func state(of command: OpenCommand) -> State {
        book.withLock { book in book.isCurrent(command) ? book.entries[command.id]?.state ?? State() : State() }
    }

    fileprivate func change(_ command: OpenCommand, _ body: (inout State) -> Void) {
        book.withLock { book in
            guard book.isCurrent(command) else { return }
            var entry =
                book.entries[command.id]
                ?? Entry(partition: command.partition, conversation: command.conversation, state: State())
            body(&entry.state)
            book.put(entry, command.id)
        }
    }

    /// The command is at its end.
    func end(_ id: String) { book.withLock { $0.remove(id) } }

    // MARK: Statuses

    /// Whether a status of the conversation could bring news.
    func isWaiting(_ conversation: String) -> Bool {
        book.withLock { !$0.waiting.isEmpty && $0.waiting[conversation] != nil }
    }

    var isAnybodyInDoubt: Bool { inDoubt > 0 }
    var inDoubt: Int { book.withLock { $0.doubts } }

    /// A status with the command's tag has come. True when that is news for a command that waits.
    func note(_ evidence: Evidence, of id: String) -> Bool {
        book.withLock { book in
            guard var entry = book.entries[id], entry.state.isWaiting, entry.state.evidence == nil else { return false }
            entry.state.evidence = evidence
            book.entries[id] = entry
            return true
        }
    }

    /// For tests.
    var count: Int { book.withLock { $0.entries.count } }
}

extension OpenCommands.Book {
    fileprivate mutating func put(_ entry: OpenCommands.Entry, _ id: String) {
        let old = entries.updateValue(entry, forKey: id)
        doubts += (entry.state.isInDoubt ? 1 : 0) - (old?.state.isInDoubt == true ? 1 : 0)
        watch(entry.conversation, (entry.state.isWaiting ? 1 : 0) - (old?.state.isWaiting == true ? 1 : 0))
    }

    fileprivate mutating func remove(_ id: String) {
        guard let entry = entries.removeValue(forKey: id) else { return }
        if entry.state.isInDoubt { doubts -= 1 }
        if entry.state.isWaiting { watch(entry.conversation, -1) }
    }

    private mutating func watch(_ conversation: String, _ change: Int) {
        if change == 0 { return }
        let count = waiting[conversation, default: 0] + change
        waiting[conversation] = count == 0 ? nil : count
    }

    fileprivate func isCurrent(_ command: OpenCommand) -> Bool { terms[command.partition, default: 0] == command.term }
}

/// One command while it is handled. What is noted under an earlier ownership of its partition counts for nothing.
struct OpenCommand: Sendable {
    let id: String
    let conversation: String
    let partition: Int32
    fileprivate let term: UInt64
    fileprivate let book: OpenCommands

    var state: OpenCommands.State { book.state(of: self) }

    /// A request goes out now.
    func begins(at now: Timestamp) {
        book.change(self) { state in
            state.attempts += 1
            if state.mustCountResend { (state.resends, state.mustCountResend) = (state.resends + 1, false) }
            state.firstAttemptAt = state.firstAttemptAt ?? now
            state.isUnderWay = true
        }
    }

    /// The API has answered.
    func answered() { book.change(self) { $0.isUnderWay = false } }

    /// Nobody knows whether the API has accepted it.
    func lost(at now: Timestamp, flow: Duration) {
        book.change(self) { state in
            state.isUnderWay = false
            state.doubt = .open(since: now, flow: flow)
            // Its status will be handled after this.
            state.isSearched = true
        }
    }

    func searched() { book.change(self) { $0.isSearched = true } }

    /// It is sent again although nobody knows.
    func settle() {
        book.change(self) { state in
            state.doubt = .settled
            state.mustCountResend = true
        }
    }

    /// What `NumberHealth` said when it failed.
    func saw(_ health: UInt64) { book.change(self) { $0.seenHealth = health } }

    func end() { book.end(id) }
}
