import EventLog

/// The parked records of a lane, in memory: per key the one that failed, when it is due, and those behind it.
///
/// How many may be parked is bounded by the partition's pause (`LaneState`), not here: nothing is ever dropped.
struct RetrySchedule<Instant: InstantProtocol & Sendable> {
    private struct Line {
        /// The record that failed; nil while it is tried again.
        var head: Work?
        /// When it is; nil: when it is woken.
        var dueAt: Instant?
        var behind: [Work] = []
    }

    private var lines: [OrderKey: Line] = [:]
    /// Keys of `lines`.
    private(set) var blocked = OrderKeySet()
    /// Lines whose head waits, ascending by time.
    private var due: [(at: Instant, key: OrderKey)] = []

    var isEmpty: Bool { lines.isEmpty }
    var nextDue: Instant? { due.first?.at }

    /// Asked for every record, of which few are of a line.
    func blocks(_ record: StoredRecord) -> Bool { blocked.contains(record) }

    /// A record failed: it heads its key's line and comes back at `instant`.
    mutating func fail(_ work: Work, until instant: Instant) { hold(work, until: instant) }

    /// The same for one that may have to be woken.
    mutating func hold(_ work: Work, until instant: Instant?) {
        let key = OrderKey(work.record)
        precondition(lines[key]?.head == nil, "one record of a key fails at a time")
        lines[key, default: Line()].head = work
        blocked.insert(key)
        setDue(key, at: instant)
    }

    private mutating func setDue(_ key: OrderKey, at instant: Instant?) {
        lines[key]?.dueAt = instant
        guard let instant else { return }
        due.insert((instant, key), at: due.partitioningIndex { $0.at > instant })
    }

    /// A later record of a blocked key waits behind the one that failed.
    mutating func follow(_ work: Work) {
        let key = OrderKey(work.record)
        lines[key, default: Line()].behind.append(work)
        blocked.insert(key)
    }

    /// Records whose time has come; their keys stay blocked until `settle` or another `fail`.
    mutating func takeDue(at now: Instant) -> [Work] {
        let count = due.partitioningIndex { $0.at > now }
        defer { due.removeFirst(count) }
        return due[..<count].compactMap { lines[$0.key]?.head.take() }
    }

    /// The record that heads the line of a key, while it waits.
    func waiting(_ key: OrderKey) -> Work? { lines[key]?.head }

    /// The head of a key's line is due now. False when there is none, or it is being tried.
    @discardableResult
    mutating func wake(_ key: OrderKey, at now: Instant) -> Bool {
        guard lines[key]?.head != nil else { return false }
        if let at = lines[key]?.dueAt {
            let first = due.partitioningIndex { $0.at >= at }
            if let index = due[first...].firstIndex(where: { $0.key == key }) { due.remove(at: index) }
        }
        setDue(key, at: now)
        return true
    }

    /// An operator wants the record tried now: the head of its line is. False when it is not in a line, or is being tried.
    mutating func release(_ source: TopicPartition, _ offset: Offset, at now: Instant) -> Bool {
        guard let key = line(of: source, offset) else { return false }
        return wake(key, at: now)
    }

    /// An operator gives the record up: at once if it heads its line, else when its turn comes.
    mutating func condemn(
        _ source: TopicPartition, _ offset: Offset, _ failure: HandlerFailure, at now: Instant
    ) -> Bool {
        guard let key = line(of: source, offset) else { return false }
        if let index = lines[key]?.behind.firstIndex(where: { $0.record.offset == offset }) {
            lines[key]?.behind[index].fate = .condemned(failure)
            return true
        }
        lines[key]?.head?.fate = .condemned(failure)
        return wake(key, at: now)
    }

    private func line(of source: TopicPartition, _ offset: Offset) -> OrderKey? {
        lines.first { _, line in
            ([line.head].compactMap { $0 } + line.behind).contains { $0.record.source == source && $0.record.offset == offset }
        }?.key
    }

    /// The head is done with. Answers those behind it, oldest first; the key is free.
    mutating func settle(_ key: OrderKey) -> [Work] {
        blocked.remove(key)
        return lines.removeValue(forKey: key)?.behind ?? []
    }
}
