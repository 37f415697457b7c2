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
            if context.processor.work == .ordered, !run.isSide { await endBatch(run, batch, &result) }
        }
        result.writes = batch?.take() ?? [:]
        finish(run, result)
    }

    private func handleAll(_ run: Run<C.Instant>, _ batch: StateScope?, _ result: inout RunResult) async {
        var failedKeys: Set<OrderKey> = []
        var started = context.clock.now
        for (index, work) in run.works.enumerated() {
            guard case .goOn = run.begin(index, at: started) else { return }
            if !failedKeys.isEmpty, failedKeys.contains(OrderKey(work.record)) {
                result.outcomes.append(.behind)
                continue
            }
            let scope = batch.map { StateScope(parent: $0, rules: stateRules) }
            var outcome = HandlingOutcome.done
            do {
                result.outcomes.append(.done(try await handle(work, handling(work, scope, run), &result)))
                if let scope { batch?.merge(scope.take()) }
            } catch is EffectRefused {
                return
            } catch is EffectWithheld {
                result.outcomes.append(.done([]))
            } catch {
                let failure = failure(of: work, error)
                outcome = .failed
                if case .processor = failure.scope, !work.isSide {
                    result.outage = failure
                    context.observer.handled(work.record.source, outcome, took: started.duration(to: context.clock.now))
                    return
                }
                failedKeys.insert(OrderKey(work.record))
                result.outcomes.append(.failed(failure))
            }
            let ended = context.clock.now
            context.observer.handled(work.record.source, outcome, took: started.duration(to: ended))
            started = ended
        }
    }

    private func handle(_ work: Work, _ handling: HandlerContext, _ result: inout RunResult) async throws -> [Record] {
        guard work.isSide else { return try await context.processor.handle(work.record, handling) }
        let answer = try await context.processor.handleSide(work.record, handling)
        result.wakes += answer.wakes
        return answer.outputs
    }

    /// Calls `endBatch` for the records that were handled. When it fails, each is handled again in a batch of its own,
    /// so that the failure meets the one that causes it.
    private func endBatch(_ run: Run<C.Instant>, _ batch: StateScope?, _ result: inout RunResult) async {
        let handled = zip(run.works, result.outcomes).compactMap { work, outcome in
            if case .done = outcome { work.record } else { nil }
        }
        if handled.isEmpty { return }
        if case .disowned = run.begin(run.works.count, at: context.clock.now) { return }
        do {
            result.batchOutputs = try await context.processor.endBatch(handled, handling(run.works[0], batch, run))
        } catch {
            let failure = failure(of: run.works[0], error)
            result = RunResult()
            if run.works.count == 1 { result.outcomes = [.failed(failure)] } else { result.mustBeRepeated = true }
            batch?.discard()
        }
    }

    /// The dead letter of a record, and what the processor writes along with it.
    private func bury(_ run: Run<C.Instant>, _ failure: HandlerFailure, _ batch: StateScope?) async -> [Record] {
        let work = run.works[0]
        if work.isSilent { return [] }
        let outputs = await context.processor.deadLettered(work.record, failure, handling(work, batch, run))
        let processor = context.processor
        let letter = DeadLetter.record(
            of: work, failure: failure, group: processor.group, topic: processor.deadLetterTopic,
            now: context.wallTime())
        logger.warning("record dead-lettered", metadata: LogKey.of(work.record, failure, attempt: work.attempts))
        context.observer.handled(work.record.source, .dead, took: .zero)
        return [letter] + outputs
    }

    private func handling(_ work: Work, _ state: StateScope?, _ run: Run<C.Instant>) -> HandlerContext {
        let mayAct = context.processor.effects == .marked && !work.isSide
        return HandlerContext(
            attempt: work.attempts + 1, partition: partition,
            firstFailedAt: work.attempts == 0 ? nil : work.firstFailedAt, now: context.wallTime(),
            state: state ?? NoState(), logger: logger, effect: work.effect
        ) {
            guard mayAct else { throw HandlerFailure.permanent("no-effects", "the processor declares no effects here") }
            if case .replay(effects: false) = self.context.configuration.mode { throw EffectWithheld() }
            try await self.beginEffect(run, work.record)
        }
    }

    private func failure(of work: Work, _ error: any Error) -> HandlerFailure {
        let failure = HandlerFailure(error)
        logger.debug("handler failed", metadata: LogKey.of(work.record, failure, attempt: work.attempts + 1))
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
