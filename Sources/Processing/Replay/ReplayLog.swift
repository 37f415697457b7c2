import EventLog

/// A log as a replay sees it: a consumer that joins no group and reads a range of each partition, an admin that knows
/// only that range and changes nothing, and outputs that go nowhere unless asked for.
final class ReplayLog: Log {
    let base: any Log
    let book: ReplayBook
    private let plan: Replay.Plan

    init(base: any Log, plan: Replay.Plan, book: ReplayBook) {
        self.base = base
        self.plan = plan
        self.book = book
    }

    var producer: any Producer { plan.effects ? base.producer : WithheldProducer() }
    var admin: any Admin { ReplayAdmin(base: base.admin, book: book) }

    func consumer(_ configuration: ConsumerConfiguration) async throws(LogError) -> any Consumer {
        var partitions: [TopicPartition] = []
        for topic in configuration.topics { partitions += try await base.admin.partitions(of: topic) }
        let ranges = try await plan.ranges(partitions)
        let stored = try await storedProgress(of: partitions)
        book.begin(ranges)
        book.committed(stored.compactMapValues { $0 })
        return ReplayConsumer(
            assignment: Dictionary(uniqueKeysWithValues: partitions.map { ($0, stored[$0] ?? nil) }), ranges: ranges,
            reader: try await base.reader(), maxBatchRecords: configuration.maxBatchRecords, log: self)
    }

    private func storedProgress(of partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Commit?] {
        guard let group = plan.group else { return [:] }
        return try await base.admin.commits(of: group, in: partitions)
    }

    func reader() async throws(LogError) -> any Reader { try await base.reader() }

    /// Outputs of the replay: written or only counted.
    func take(_ outputs: [Record]) async throws(LogError) {
        if plan.effects { try await base.produce(outputs) }
        book.answered(outputs)
    }

    /// The log is its owner's to close.
    func close() async {}
}

/// Takes records and forgets them.
private struct WithheldProducer: Producer {
    func send(_ records: [Record], completion: @escaping @Sendable (Result<[RecordPosition], LogError>) -> Void) {
        completion(.success(records.map { RecordPosition(TopicPartition($0.topic, $0.partition ?? 0), 0) }))
    }
}

/// Shows the range of a replay as if the log held nothing else.
private struct ReplayAdmin: Admin {
    let base: any Admin
    let book: ReplayBook

    func watermarks(of partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Watermarks] {
        var marks = try await base.watermarks(of: partitions)
        for (partition, held) in marks {
            guard let range = book.range(of: partition) else { continue }
            marks[partition] = Watermarks(low: max(range.lowerBound, held.low), high: max(range.upperBound, held.low))
        }
        return marks
    }

    func topics() async throws(LogError) -> [TopicDescription] { try await base.topics() }
    func offsets(at time: Timestamp, of partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Offset] {
        try await base.offsets(at: time, of: partitions)
    }
    func groups() async throws(LogError) -> [GroupDescription] { try await base.groups() }
    func commits(of group: String, in partitions: [TopicPartition]) async throws(LogError) -> [TopicPartition: Commit] {
        try await base.commits(of: group, in: partitions)
    }
    func createTopics(_ specs: [TopicSpec]) async throws(LogError) {
        throw LogError(.unsupported, "a replay creates no topics")
    }
    func setCommits(_ commits: [TopicPartition: Commit], of group: String) async throws(LogError) {
        throw LogError(.unsupported, "a replay moves no group")
    }
}
