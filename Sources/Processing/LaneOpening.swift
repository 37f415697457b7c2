import EventLog
import Logging

/// Opens lanes for newly assigned partitions: where they go on, their state, and the records that come first.
struct LaneOpening<C: Clock>: Sendable where C.Duration == Duration {
    let context: RuntimeContext<C>
    let log: any Log
    let consumer: any Consumer
    /// How far the restore of a state is; nil: over.
    let tellRestore: @Sendable (TopicPartition, RestoreProgress?) -> Void
    let fail: @Sendable (any Error) -> Void

    /// One lane per partition number, and where each partition is to be read from.
    func open(
        _ assignment: [TopicPartition: Commit?]
    ) async throws -> (lanes: [Lane<C>], positions: [TopicPartition: Offset]) {
        let marks = try await context.persist(at: "watermarks") {
            try await log.admin.watermarks(of: Array(assignment.keys))
        }
        let numbers = Dictionary(grouping: assignment.keys, by: \.partition)
        // Side by side: each may have a state to restore.
        return try await withThrowingTaskGroup(of: (Lane<C>, [TopicPartition: Offset]).self) { group in
            for (partition, sources) in numbers {
                group.addTask { try await openLane(partition, sources, assignment, marks) }
            }
            return try await group.reduce(into: ([], [:])) { opened, one in
                opened.0.append(one.0)
                opened.1.merge(one.1) { _, new in new }
            }
        }
    }

    private func openLane(
        _ partition: Int32, _ sources: [TopicPartition], _ assignment: [TopicPartition: Commit?],
        _ marks: [TopicPartition: Watermarks]
    ) async throws -> (Lane<C>, [TopicPartition: Offset]) {
        guard Set(sources.map(\.topic)) == Set(context.processor.subscription) else {
            throw LogError(.invalidConfiguration, "inputs are not assigned together: members must subscribe alike")
        }
        var births: [TopicPartition: Offset] = [:]
        for source in sources { births[source] = try birth(of: source, assignment[source] ?? nil, marks[source]) }
        let disk = try await openState(partition)
        let commits = births.map { source, birth in (source, (assignment[source] ?? nil) ?? Commit(offset: birth)) }
        let journal = try await restore(disk, partition, Dictionary(uniqueKeysWithValues: commits))
        let states = try await disk?.progress() ?? [:]
        var machine = LaneState<C.Instant>(rules: rules)
        var positions: [TopicPartition: Offset] = [:]
        for source in sources {
            let plan = StartPlan(
                mode: context.processor.state, commit: (assignment[source] ?? nil).map(Progress.init),
                birth: births[source] ?? 0, state: states[source.topic], low: marks[source]?.low ?? 0)
            tell(source, plan)
            positions[source] = plan.start
            machine.begin(source, plan, restoring: try await exceptions(plan, of: source), now: context.wallTime())
        }
        let lane = Lane(
            partition: partition, machine: machine, context: context, consumer: consumer, disk: disk,
            journal: journal, fail: fail)
        return (lane, positions)
    }

    private var rules: LaneState<C.Instant>.Rules {
        let processor = context.processor
        return .init(
            configuration: context.configuration, retry: processor.retry, work: processor.work,
            keepsState: processor.state != .none, group: context.group, deadLetterTopic: context.deadLetterTopic,
            effects: processor.effects, commitGap: processor.commitGap, inputs: processor.inputs,
            sideInputs: Set(processor.sideInputs),
            scope: { processor.outageScope(of: $0) }, deadline: { processor.deadline(of: $0) })
    }

    private func openState(_ partition: Int32) async throws -> SQLiteStateStore? {
        let processor = context.processor
        if processor.state == .none { return nil }
        return try await .openOrReplace(
            "\(context.configuration.stateDirectory)/\(context.group)/\(partition).db",
            survivors: processor.state.survivors, limits: processor.stateLimits, logger: context.logger)
    }

    /// Nil where nothing survives, and in a replay, whose state is its own.
    private func restore(
        _ disk: SQLiteStateStore?, _ partition: Int32, _ commits: [TopicPartition: Commit]
    ) async throws -> StateJournal? {
        guard let disk, context.processor.state.survives, context.configuration.mode == .live else { return nil }
        let state = TopicPartition(context.stateTopic, partition)
        defer { tellRestore(state, nil) }
        return try await StateRestore(
            context: context, log: log, consumer: consumer, disk: disk, partition: state, commits: commits,
            tell: { progress in tellRestore(state, progress) }
        ).run()
    }

    /// Where a group begins that has no commit.
    private func birth(of source: TopicPartition, _ commit: Commit?, _ marks: Watermarks?) throws -> Offset {
        guard let marks else { throw LogError(.unknownTopic, source.topic.name) }
        switch context.configuration.start {
        case .latest: return marks.high
        case .earliest: return marks.low
        case .requireCommit:
            if commit != nil { return 0 }
            let group = context.group
            throw LogError(
                .invalidConfiguration,
                "\(group) has no commit for \(source); say where it begins: --from beginning, --from end or --from TIME")
        }
    }

    private func tell(_ source: TopicPartition, _ plan: StartPlan) {
        var metadata = LogKey.of(source)
        metadata[LogKey.offset] = "\(plan.start)"
        context.logger.info("partition assigned", metadata: metadata)
        if plan.missed > 0 {
            metadata[LogKey.count] = "\(plan.missed)"
            context.logger.error("retention removed records before they were handled", metadata: metadata)
        }
        if let silent = plan.silent, silent.offset > plan.start {
            metadata[LogKey.count] = "\(silent.offset - plan.start)"
            context.logger.info("state is rebuilt from its inputs, without outputs", metadata: metadata)
        }
    }

    /// A jump costs Kafka's reader some requests and up to a second of waiting, a record to read over some microseconds:
    /// hundreds of parked records, each alone among others, would hold up a take-over for minutes.
    private static var cheaperThanAJump: Offset { 2_000 }
    private static var readAtOnce: Int { 500 }

    /// Reads the exceptions of a plan by offset. Those that compaction took are absent: they count as finished.
    private func exceptions(_ plan: StartPlan, of source: TopicPartition) async throws -> [StoredRecord] {
        if plan.exceptions.isEmpty { return [] }
        return try await context.persist(at: "restore") {
            try await log.withReader { reader in
                var records: [StoredRecord] = []
                for span in plan.exceptions.spans(acrossGapsUpTo: Self.cheaperThanAJump) {
                    try await reader.forEachRecord(of: source, in: span, batch: Self.readAtOnce) { record in
                        if plan.exceptions.contains(record.offset) { records.append(record) }
                    }
                }
                return records
            }
        }
    }
}
