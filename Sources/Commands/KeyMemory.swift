import EventLog
import Logging
import Synchronization
import WhatsApp

/// Who took which idempotency key first, across instances and restarts.
///
/// The log decides: a caller's key is claimed by a record on the `command-keys` topic, and of several claims of one id
/// the one with the lowest offset counts. All claims of an id lie in one partition, so every instance that reads up to
/// its own claim sees all that came before it and comes to the same answer. Nothing is locked, and nothing is kept on a
/// disk of ours: a new instance reads the topic.
public actor KeyMemory {
    /// What became of a claim.
    enum Verdict: Sendable {
        /// The key is ours; a repetition finds the times of the first call.
        case granted(KeyIndex.Entry)
        /// Taken by another content.
        case conflict
    }

    private let log: any Log
    private let topic: Topic
    private let logger: Logger
    private let now: @Sendable () -> Timestamp
    private var index: KeyIndex {
        didSet { remembered.store(index.count, ordering: .relaxed) }
    }
    private let remembered = Atomic(0)
    private var reader: (any Reader)?
    /// Offset of the next record to read, per partition.
    private var next: [TopicPartition: Offset] = [:]
    private var reading: [TopicPartition: Task<Void, any Error>] = [:]

    private static let batch = 1_000
    /// How often claims of other instances are read when nothing else asks for them.
    private static let pulse = Duration.seconds(5)

    /// - Parameters:
    ///   - memory: How long a key is remembered; must be shorter than the topic's retention.
    ///   - maxKeys: More than so many are not kept; the oldest is forgotten. About 100 bytes each.
    public init(
        log: any Log, topic: Topic, memory: Duration, maxKeys: Int, logger: Logger,
        now: @escaping @Sendable () -> Timestamp
    ) {
        self.log = log
        self.topic = topic
        self.logger = logger
        self.now = now
        index = KeyIndex(memory: memory, maxKeys: maxKeys)
    }

    /// Reads what the topic holds. Before it has returned nothing may be claimed.
    public func start() async throws {
        reader = try await log.reader()
        let partitions = try await log.admin.partitions(of: topic)
        for (partition, held) in try await log.admin.watermarks(of: partitions) { next[partition] = held.low }
        try await refresh()
        logger.info("idempotency keys are known", metadata: ["keys": "\(index.count)"])
    }

    /// Follows the claims of other instances until cancelled, so that a claim of ours finds little to read.
    public func follow() async {
        while !Task.isCancelled {
            try? await Task.sleep(for: Self.pulse)
            do {
                try await refresh()
                index.forget(now())
            } catch {
                logger.warning("idempotency keys could not be read; trying again")
            }
        }
    }

    /// Keys remembered now.
    nonisolated var count: Int { remembered.load(ordering: .relaxed) }

    public func close() async { await reader?.close() }

    /// Claims the command's id for its content. Throws when the log does not take or give the claim.
    func claim(_ command: OutboundCommand) async throws -> Verdict {
        let claim = KeyClaim(command)
        guard let (id, entry) = claim.entry else { throw LogError(.notDurable, "an id that is no hash") }
        if let known = index[id] { return verdict(known, entry) }
        guard let position = try await log.producer.produce([claim.record(topic: topic)]).first else {
            throw LogError(.notDurable, "a claim without a position")
        }
        try await read(position.partition, through: position.offset)
        guard let known = index[id] else { throw LogError(.notDurable, "the claim was not found") }
        return verdict(known, entry)
    }

    /// The command is durable.
    func noteStored(_ command: OutboundCommand) {
        if let id = KeyClaim.number(command.id) { index.noteStored(id) }
    }

    private func verdict(_ known: KeyIndex.Entry, _ ours: KeyIndex.Entry) -> Verdict {
        known.content == ours.content ? .granted(known) : .conflict
    }

    private func refresh() async throws {
        for (partition, held) in try await log.admin.watermarks(of: Array(next.keys)) where held.high > 0 {
            try await read(partition, through: held.high - 1)
        }
    }

    /// Reads until the record at `offset` was taken in. Of several callers one reads, and all of them wait.
    private func read(_ partition: TopicPartition, through offset: Offset) async throws {
        while let at = next[partition], at <= offset {
            if let task = reading[partition] {
                try await task.value
                continue
            }
            let task = Task {
                // Gone before anybody who waits goes on: he must not find it and wait for it again.
                defer { reading[partition] = nil }
                try await readOnce(partition, from: at)
            }
            reading[partition] = task
            try await task.value
        }
    }

    private func readOnce(_ partition: TopicPartition, from at: Offset) async throws {
        guard let reader else { throw LogError(.closed, "the reader of claims") }
        let records: [StoredRecord]
        do throws(LogError) {
            records = try await reader.read(
                partition, from: at, maxRecords: Self.batch, waitingUpTo: .milliseconds(500))
        } catch {
            guard error.code == .offsetOutOfRange else { throw error }
            // Retention has taken what we had not read; it is older than the memory.
            let held = try await log.admin.watermarks(of: [partition])
            next[partition] = max(at + 1, held[partition]?.low ?? at + 1)
            return
        }
        let time = now()
        for record in records {
            if let (id, entry) = KeyClaim(record)?.entry { index.insert(entry, for: id, now: time) }
            next[partition] = record.offset + 1
        }
    }
}
