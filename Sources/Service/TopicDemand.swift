import Dispatch
import EventLog
import Synchronization

/// Topics that a program comes to need while it runs, because a file has changed: what `Host.checkTopics` is at start.
public final class TopicDemand: Sendable {
    private let log: any Log
    private let partitions: Int32
    private let patience: Duration
    /// Looked at before; nil: nothing is looked at.
    private let known: Mutex<Set<Topic>?>

    init(_ log: any Log, partitions: Int32, known: [Topic]?, patience: Duration = .seconds(2)) {
        (self.log, self.partitions, self.patience) = (log, partitions, patience)
        self.known = Mutex(known.map { Set($0) })
    }

    /// Throws when the log lacks one of `topics` or has it otherwise than the settings say, and `ReloadDelay` when it does
    /// not answer. Asks for none that was there before. Blocks: for the thread that `Loaded.reloading` uses.
    public func check(_ topics: [Topic]) throws {
        guard let new = known.withLock({ known in known.map { known in topics.filter { !known.contains($0) } } }),
            !new.isEmpty
        else { return }
        let check = TopicCheck(topics: new, partitions: partitions)
        guard let held = heldTopics(check) else {
            throw ReloadDelay("the log does not answer, and must have the topic \(new[0].name)")
        }
        if let mistake = check.mistake(in: held) { throw mistake }
        known.withLock { $0?.formUnion(new) }
    }

    private func heldTopics(_ check: TopicCheck) -> [TopicDescription]? {
        let answer = Answer()
        Task.detached { [log, patience] in
            let held = await log.topics(within: patience)
            answer.held.withLock { $0 = held }
            answer.isThere.signal()
        }
        answer.isThere.wait()
        return answer.held.withLock { $0 }
    }

    private final class Answer: Sendable {
        let isThere = DispatchSemaphore(value: 0)
        let held = Mutex<[TopicDescription]?>(nil)
    }
}

extension Host {
    /// - Parameter topics: those of `checkTopics`.
    public func topicDemand(beyond topics: [Topic]) -> TopicDemand {
        TopicDemand(log, partitions: settings.topics.partitions, known: settings.checksTopics ? topics : nil)
    }
}
