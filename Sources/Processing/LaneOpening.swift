import EventLog
import Logging

/// Opens lanes for newly assigned partitions: where they go on, their state, and the records that come first.
struct LaneOpening<C: Clock> where C.Duration == Duration {
    let context: RuntimeContext<C>
    let log: any Log
    let consumer: any Consumer
    let fail: @Sendable (any Error) -> Void

    /// One lane per partition number, and where each partition is to be read from.
    func open(
        _ assignment: [TopicPartition: Commit?]
    ) async throws -> (lanes: [Lane<C>], positions: [TopicPartition: Offset]) {
        let marks = try await context.persist(at: "watermarks") {
            try await log.admin.watermarks(of: Array(assignment.keys))
        }
        var lanes: [Lane<C>] = []
        var positions: [TopicPartition: Offset] = [:]
        for (partition, sources) in Dictionary(grouping: assignment.keys, by: \.partition) {
            guard Set(sources.map(\.topic)) == Set(context.processor.subscription) else {
                throw LogError(.invalidConfiguration, "inputs are not assigned together: members must subscribe alike")
            }
            let disk = try await openState(partition)
            let states = try await disk?.progress() ?? [:]
            var machine = LaneState<C.Instant>(rules: rules)
            for source in sources {
                let plan = try plan(source, assignment[source] ?? nil, states[source.topic], marks[source])
                positions[source] = plan.start
                machine.begin(source, plan, restoring: try await exceptions(plan, of: source))
            }
            lanes.append(
                Lane(
                    partition: partition, machine: machine, context: context, consumer: consumer, disk: disk,
                    fail: fail))
        }
        return (lanes, positions)
    }

    private var rules: LaneState<C.Instant>.Rules {
        let processor = context.processor
        return .init(
            configuration: context.configuration, retry: processor.retry, work: processor.work,
            keepsState: processor.state != .none, group: processor.group, deadLetterTopic: processor.deadLetterTopic,
            effects: processor.effects, sideInputs: Set(processor.sideInputs),
            scope: { processor.outageScope(of: $0) }, deadline: { processor.deadline(of: $0) })
    }

    private func openState(_ partition: Int32) async throws -> SQLiteStateStore? {
        if context.processor.state == .none { return nil }
        return try await .open("\(context.configuration.stateDirectory)/\(context.processor.group)/\(partition).db")
    }

    private func plan(
        _ source: TopicPartition, _ commit: Commit?, _ state: Progress?, _ marks: Watermarks?
    ) throws -> StartPlan {
        guard let marks else { throw LogError(.unknownTopic, source.topic.name) }
        let birth: Offset
        switch context.configuration.start {
        case .latest: birth = marks.high
        case .earliest: birth = marks.low
        case .requireCommit:
            guard commit != nil else {
                let group = context.processor.group
                throw LogError(
                    .invalidConfiguration,
                    "\(group) has no commit for \(source); say where it begins: --from beginning, --from end or --from TIME")
            }
            birth = 0
        }
        let plan = StartPlan(
            mode: context.processor.state, commit: commit.map(Progress.init), birth: birth, state: state,
            low: marks.low)
        tell(source, plan)
        return plan
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

    /// Reads the exceptions of a plan by offset. Those that compaction took are absent: they count as finished.
    private func exceptions(_ plan: StartPlan, of source: TopicPartition) async throws -> [StoredRecord] {
        if plan.exceptions.isEmpty { return [] }
        return try await context.persist(at: "restore") {
            let reader = try await log.reader()
            do {
                var records: [StoredRecord] = []
                for range in plan.exceptions.ranges { records += try await read(range, of: source, with: reader) }
                await reader.close()
                return records
            } catch {
                await reader.close()
                throw error
            }
        }
    }

    private func read(
        _ range: Range<Offset>, of source: TopicPartition, with reader: any Reader
    ) async throws(LogError) -> [StoredRecord] {
        var records: [StoredRecord] = []
        var at = range.lowerBound
        while at < range.upperBound {
            let found = try await reader.read(
                source, from: at, maxRecords: Int(range.upperBound - at), waitingUpTo: .zero)
            guard let last = found.last else { break }
            records += found.filter { range.contains($0.offset) }
            at = last.offset + 1
        }
        return records
    }
}
