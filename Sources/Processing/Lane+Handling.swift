import EventLog
import Logging

/// What a handler task does: the records of its run, one after the other.
extension Lane {
    func perform(_ run: Run<C.Instant>) async {
        var result = RunResult()
        let batch = disk == nil ? nil : StateScope(parent: self, rules: stateRules)
        if case .condemned(let failure) = run.works[0].fate {
            result.outcomes = [.done(await bury(run, failure, batch))]
        } else {
            await handleAll(run, batch, &result)
            if processor.work == .ordered, !run.isSide { await endBatch(run, batch, &result) }
        }
        result.writes = batch?.take() ?? [:]
        finish(run, result)
    }

    private func handleAll(_ run: Run<C.Instant>, _ batch: StateScope?, _ result: inout RunResult) async {
        var failedKeys = run.blocked
        var tally = HandlingTally(context.observer)
        defer { tally.tell() }
        let works = run.works
        result.outcomes.reserveCapacity(works.count)
        let begun = context.now
        var (wall, readAt) = (begun.wall, begun.instant)
        var started = begun.instant
        // What handlers are told is the same for all of which there is nothing to tell.
        let isPlain = works.fetched != nil && batch == nil && processor.effects == .none
        var handling = isPlain ? handling(works[0], nil, run, wall) : nil
        for index in works.indices {
            guard case .goOn = run.begin(index, at: started) else { return }
            let work = works[index]
            if failedKeys.contains(work.record) {
                result.outcomes.append(.behind)
                continue
            }
            if readAt.duration(to: started) >= .milliseconds(1) {
                (wall, readAt) = (begun.wall + begun.instant.duration(to: started), started)
                if isPlain { handling = self.handling(work, nil, run, wall) }
            }
            let ending = await handle(work, handling, at: wall, run, batch, &result)
            let ended = context.clock.now
            let took = started.duration(to: ended)
            started = ended
            switch ending {
            case .done(let outputs):
                tally.add(work, took)
                result.outcomes.append(.done(outputs))
            case .failed(let failure):
                context.observer.handled(work.record.source, .failed, took: [took])
                if case .processor = failure.scope, !work.isSide { return result.outage = failure }
                failedKeys.insert(OrderKey(work.record))
                result.outcomes.append(.failed(failure))
            case .refused: return
            }
        }
    }

    /// How one handling ended; `refused` when it must not act because the partition is being given up.
    private enum Ending {
        case done([Record])
        indirect case failed(HandlerFailure)
        case refused
    }

    private func handle(
        _ work: Work, _ shared: HandlerContext?, at now: Timestamp, _ run: Run<C.Instant>, _ batch: StateScope?,
        _ result: inout RunResult
    ) async -> Ending {
        let scope = batch.map { StateScope(parent: $0, rules: stateRules) }
        let handling = shared ?? handling(work, scope, run, now)
        do {
            let outputs: [Record]
            if work.isSide {
                let answer = try await processor.handleSide(work.record, handling)
                result.wakes += answer.wakes
                outputs = answer.outputs
            } else {
                outputs = try await processor.handle(work.record, handling)
            }
            if let scope { batch?.merge(scope.take()) }
            return .done(outputs.isEmpty ? outputs : TraceContext.carried(from: work.record, to: outputs))
        } catch is EffectRefused {
            return .refused
        } catch is EffectWithheld {
            return .done([])
        } catch {
            return .failed(failure(of: work, error))
        }
    }

    /// Calls `endBatch` for the records that were handled. When it fails, each is handled again in a batch of its own,
    /// so that the failure meets the one that causes it.
    private func endBatch(_ run: Run<C.Instant>, _ batch: StateScope?, _ result: inout RunResult) async {
        let handled = handledRecords(of: run, result)
        if handled.isEmpty { return }
        if case .disowned = run.begin(run.works.count, at: context.clock.now) { return }
        do {
            result.batchOutputs = try await processor.endBatch(
                handled, handling(run.works[0], batch, run, context.wallTime()))
        } catch {
            let failure = failure(of: run.works[0], error)
            result = RunResult()
            if run.works.count == 1 { result.outcomes = [.failed(failure)] } else { result.mustBeRepeated = true }
            batch?.discard()
        }
    }

    private func handledRecords(of run: Run<C.Instant>, _ result: RunResult) -> [StoredRecord] {
        let count = result.outcomes.count(where: \.isDone)
        if count == run.works.count, let records = run.works.fetched { return records }
        return result.outcomes.indices.filter { result.outcomes[$0].isDone }.map { run.works[$0].record }
    }

    /// The dead letter of a record, and what the processor writes along with it.
    private func bury(_ run: Run<C.Instant>, _ failure: HandlerFailure, _ batch: StateScope?) async -> [Record] {
        let work = run.works[0]
        if work.isSilent { return [] }
        let outputs = await processor.deadLettered(work.record, failure, handling(work, batch, run, context.wallTime()))
        let letter = DeadLetter.record(
            of: work, failure: failure, group: context.group, topic: context.deadLetterTopic,
            now: context.wallTime())
        logger.warning("record dead-lettered", metadata: LogKey.of(work.record, failure, attempt: work.past.attempts))
        context.observer.handled(work.record.source, .dead, took: [.zero])
        return [letter] + TraceContext.carried(from: work.record, to: outputs)
    }

    private func handling(
        _ work: Work, _ state: StateScope?, _ run: Run<C.Instant>, _ now: Timestamp
    ) -> HandlerContext {
        let past = work.past
        return HandlerContext(
            attempt: past.attempts + 1, partition: partition, firstFailedAt: past.attempts == 0 ? nil : past.firstFailedAt,
            now: now, state: state ?? NoState(), logger: logger, effect: work.effect, begun: work.begun,
            mark: marking(work, run))
    }

    /// What `beginEffect` does. One closure for all where there are no effects.
    private func marking(_ work: Work, _ run: Run<C.Instant>) -> @Sendable () async throws -> Void {
        guard processor.effects == .marked, !work.isSide else {
            return { throw HandlerFailure.permanent("no-effects", "the processor declares no effects here") }
        }
        return {
            if case .replay(effects: false) = self.context.configuration.mode { throw EffectWithheld() }
            try await self.beginEffect(run, work.record)
        }
    }

    private func failure(of work: Work, _ error: any Error) -> HandlerFailure {
        let failure = HandlerFailure(error)
        logger.debug("handler failed", metadata: LogKey.of(work.record, failure, attempt: work.past.attempts + 1))
        return failure
    }
}

/// The lane's state as its handlers' scopes see it: what is not on the disk yet, then the disk.
extension Lane: StateStore {
    func value(_ key: String) async throws -> [UInt8]? {
        if let entry = overlaid(key) { return entry.value }
        return try await disk?.value(key)
    }

    func set(_ key: String, to value: [UInt8]?, expires: Timestamp?) async throws {
        preconditionFailure("handlers write into scopes; the lane takes over what succeeds")
    }
}
