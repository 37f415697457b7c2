import EventLog

/// What the group gives and takes: lanes begin, change hands and stand still.
extension ProcessorRuntime {
    /// Follows the consumer until it is closed.
    func follow(_ consumer: any Consumer) async throws {
        try await withThrowingDiscardingTaskGroup { group in
            while let event = try await consumer.next() {
                switch event {
                case .assigned(let assignment): begin(assignment, consumer)
                case .records(let source, let records): await lane(of: source)?.receive(source, records)
                case .revoked(let sources):
                    // Beside the loop: lanes that stay must not wait for those that go.
                    let lanes = take(sources)
                    session.withLock { $0.leaving += lanes }
                    group.addTask { await self.giveUp(lanes, sources, consumer) }
                case .lost(let sources):
                    session.withLock { $0.stuck.subtract(sources) }
                    for lane in take(sources) + session.withLock({ $0.leaving(sources) }) { lane.drop() }
                    for source in sources { context.observer.released(source) }
                    group.addTask { for lane in await self.interrupt(sources, consumer) { lane.drop() } }
                case .outOfRange(let source, let requested, let held):
                    await goOn(source, from: requested, held, consumer)
                }
            }
        }
    }

    func begin(_ assignment: [TopicPartition: Commit?], _ consumer: any Consumer) {
        let isStopping = session.withLock { session in
            session.wasAssigned = true
            return session.isStopping
        }
        if assignment.isEmpty || isStopping { return }
        openings.begin(assignment) { await self.open($0, consumer) }
    }

    /// Nil when the partitions are not ours any more, or all ends.
    private func open(_ assignment: [TopicPartition: Commit?], _ consumer: any Consumer) async -> [Lane<C>]? {
        let opening = LaneOpening(context: context, log: log, consumer: consumer, tellRestore: openings.note) { error in
            self.fail(error, consumer)
        }
        do {
            let (lanes, positions) = try await opening.open(assignment)
            // Opening took time: whoever stops meanwhile has not seen these lanes.
            let replaced = changeLanes { session -> [Lane<C>]? in
                if session.isStopping || Task.isCancelled { return nil }
                return lanes.compactMap { session.lanes.updateValue($0, forKey: $0.partition) }
            }
            guard let replaced else { return nil }
            for lane in replaced { lane.drop() }
            // First what was parked: it is older than anything the consumer will bring.
            for lane in lanes { lane.begin() }
            try await consumer.start(at: positions)
            return lanes
        } catch {
            for lane in take(Array(assignment.keys)) { lane.drop() }
            // Not ours any more, or we are leaving: the next event says so.
            let isLeaving = Task.isCancelled || (error as? LogError)?.code == .closed
            if !isLeaving, !CommitCycle<C>.meansOthersOwn(error) { fail(error, consumer) }
            return nil
        }
    }

    /// Nobody opens these partitions from here on. Answers lanes that were made in the last moment.
    func interrupt(_ sources: [TopicPartition], _ consumer: any Consumer) async -> [Lane<C>] {
        let (lanes, rest) = await openings.interrupt(sources)
        changeLanes { session in
            for lane in lanes where session.lanes[lane.partition] === lane { session.lanes[lane.partition] = nil }
        }
        begin(rest, consumer)
        return lanes
    }

    private func giveUp(_ lanes: [Lane<C>], _ sources: [TopicPartition], _ consumer: any Consumer) async {
        await drain(lanes)
        await drain(interrupt(sources, consumer))
        session.withLock { session in
            session.leaving.removeAll { lane in lanes.contains { $0 === lane } }
            session.stuck.subtract(sources)
        }
        do {
            try await consumer.release(sources)
        } catch {
            context.logger.info("partitions were gone before their release", metadata: [LogKey.error: "\(error)"])
        }
        for source in sources { context.observer.released(source) }
    }

    /// The log does not hold the offset. Where retention was faster than we, go on with what is left; else something
    /// is wrong that a person must look at, and the partition stands still.
    private func goOn(
        _ source: TopicPartition, from requested: Offset, _ held: Watermarks, _ consumer: any Consumer
    ) async {
        var metadata = LogKey.of(source)
        metadata[LogKey.offset] = "\(requested)"
        metadata[LogKey.count] = "\(abs(held.low - requested))"
        do {
            guard requested < held.low else {
                throw LogError(.offsetOutOfRange, "the log ends at \(held.high), the group stands beyond it")
            }
            context.logger.error("retention removed records before they were handled", metadata: metadata)
            try await consumer.seek(source, to: held.low)
        } catch {
            metadata[LogKey.error] = "\(error)"
            context.logger.error("partition stands still", metadata: metadata)
            session.withLock { _ = $0.stuck.insert(source) }
            context.observer.stuck(source)
        }
    }

    func lane(of source: TopicPartition) -> Lane<C>? { session.withLock { $0.lanes[source.partition] } }

    private func take(_ sources: [TopicPartition]) -> [Lane<C>] { changeLanes { $0.take(sources) } }

    /// Under the session's lock, so that the processor hears of changes in their order.
    func changeLanes<T: Sendable>(_ change: (inout RuntimeSession<C>) -> T) -> T {
        session.withLock { session in
            defer { context.processor.partitionsChanged(Set(session.lanes.keys), of: session.partitions) }
            return change(&session)
        }
    }
}
