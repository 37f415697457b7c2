import EventLog

/// The records of a lane that wait for a handler: a queue per key, and the keys that may go on.
///
/// A key is handed out by `begin` and belongs to its run until `end`, so that its records are handled one after the
/// other, whatever topic they come from. In ordered mode the lane is one key.
struct KeyQueues {
    private struct Queue {
        var works = Fifo<Work>()
        var isBusy = false
    }

    private let isOrdered: Bool
    private var queues: [RecordKey: Queue] = [:]
    /// Keys with work that are not busy, each once, the longest waiting first.
    private var ready = Fifo<RecordKey>()

    init(isOrdered: Bool) { self.isOrdered = isOrdered }

    func key(of record: StoredRecord) -> RecordKey { isOrdered ? .lane : RecordKey(record) }

    mutating func append(_ work: Work) {
        let key = key(of: work.record)
        queues[key, default: Queue()].works.append(work)
        noteReady(key, added: 1)
    }

    /// Puts work of one key before what waits there: it is older.
    mutating func prepend(_ works: [Work]) {
        guard let first = works.first else { return }
        let key = key(of: first.record)
        queues[key, default: Queue()].works.prepend(works)
        noteReady(key, added: works.count)
    }

    /// The next key that may go on; it is busy from now on.
    mutating func begin() -> RecordKey? {
        guard let key = ready.popFirst() else { return nil }
        queues[key]?.isBusy = true
        return key
    }

    /// Takes the oldest work of a busy key if it is to the taker's liking.
    mutating func pop(_ key: RecordKey, if suits: (Work) -> Bool) -> Work? {
        guard let first = queues[key]?.works.first, suits(first) else { return nil }
        return queues[key]?.works.popFirst()
    }

    /// The key's run is over.
    mutating func end(_ key: RecordKey) {
        guard let queue = queues[key] else { return }
        if queue.works.isEmpty {
            queues[key] = nil
        } else {
            queues[key]?.isBusy = false
            ready.append(key)
        }
    }

    private mutating func noteReady(_ key: RecordKey, added: Int) {
        guard let queue = queues[key], !queue.isBusy, queue.works.count == added else { return }
        ready.append(key)
    }
}
