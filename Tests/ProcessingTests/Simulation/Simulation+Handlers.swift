import EventLog
import EventLogTesting

@testable import Processing

/// What handlers do in the simulated world.
extension Simulation {
    /// One step of one handler.
    mutating func moveHandler(_ owner: Int, _ isCalm: Bool) {
        guard let index = owners[owner].handlers.indices.randomElement(using: &random) else { return }
        var handler = owners[owner].handlers[index]
        if case .waiting = handler.stage { return }
        if handler.isOver {
            owners[owner].handlers.remove(at: index)
            return finish(handler, owner, isCalm)
        }
        if handler.stage == .ready, mayBegin(&handler), case .toBeHandled = handler.work.fate, !handler.work.isSide {
            for scope in [.processor, OutageScope.named("name \(handler.work.record.keyText)")] where isDown(scope) {
                outages += 1
                let failure = HandlerFailure.outage("down", "", scope: scope)
                if case .processor = scope {
                    handler.result.outage = failure
                    owners[owner].handlers.remove(at: index)
                    return finish(handler, owner, isCalm)
                }
                if handler.isBehind { break }
                handler.failedKeys.insert(OrderKey(handler.work.record))
                handler.result.outcomes.append(.failed(failure))
                handler.index += 1
                owners[owner].handlers[index] = handler
                return
            }
        }
        guard handler.stage == .marked || mayBegin(&handler) else {
            owners[owner].handlers.remove(at: index)
            return finish(handler, owner, isCalm)
        }
        if let outcome = step(&handler, owner, isCalm) {
            if case .failed = outcome {
                handler.failedKeys.insert(OrderKey(handler.work.record))
                noteFailure(of: handler.work)
            }
            handler.result.outcomes.append(outcome)
            handler.index += 1
            handler.stage = .ready
        }
        owners[owner].handlers[index] = handler
    }

    private func isDown(_ scope: OutageScope) -> Bool { down[scope].map { $0 > now.wall } ?? false }

    private func mayBegin(_ handler: inout SimulatedHandler) -> Bool {
        if case .goOn = handler.run.begin(handler.index, at: now.instant) { true } else { false }
    }

    /// Nil while the handler goes on with the same record.
    private mutating func step(_ handler: inout SimulatedHandler, _ owner: Int, _ isCalm: Bool) -> RunResult.Outcome? {
        let work = handler.work
        if case .condemned(let failure) = work.fate {
            checkEnd(of: work, failure)
            return .done([DeadLetter.record(of: work, failure: failure, group: "g", topic: "dlq.g", now: now.wall)])
        }
        if handler.isBehind { return .behind }
        if work.isSide { return learn(work, &handler, isCalm) }
        if handler.stage == .marked { return send(work, isCalm) }
        if work.effect == .unknown {
            if evidence.contains(work.record.valueText) { return .done([work.record.copy()]) }
            let since = unknownSince[work.record.offset] ?? now.wall
            unknownSince[work.record.offset] = since
            if now.wall - since < Self.patience { return .failed(.transient("unknown", "", retryAfter: .seconds(15))) }
            resent += 1
        } else if fails(isCalm) {
            return .failed(.transient("before", ""))
        }
        owners[owner].lastMark += 1
        handler.stage = .waiting(owners[owner].lastMark)
        owners[owner].lane.requestMark(owners[owner].lastMark, handler.run, work.record)
        return nil
    }

    private mutating func learn(_ work: Work, _ handler: inout SimulatedHandler, _ isCalm: Bool) -> RunResult.Outcome {
        if fails(isCalm) { return .failed(.transient("side", "")) }
        evidence.insert(work.record.valueText)
        handler.result.wakes.append(Wake(key: work.record.key!, errorClass: "unknown"))
        return .done([])
    }

    /// The effect. Its answer may be good, lost, or say for certain that nothing happened.
    private mutating func send(_ work: Work, _ isCalm: Bool) -> RunResult.Outcome {
        let offset = work.record.offset
        // Certain of this attempt; certain of all only if it is the first.
        if work.effect == .none, !isCalm, Int.random(in: 0..<8, using: &random) == 0 {
            return .failed(.transient("refused", "", effect: .none))
        }
        oracle.effectBegins(Int(offset), wasTold: work.effect != .none)
        if Int.random(in: 0..<10, using: &random) > 0 {
            for _ in 0..<Int.random(in: 1...2, using: &random) {
                log.append(SimulatedLog.side, key: work.record.keyText, value: work.record.valueText, at: now.wall)
            }
        }
        if fails(isCalm) { return .failed(.transient("unknown", "", retryAfter: .seconds(15))) }
        return .done([work.record.copy()])
    }

    private mutating func fails(_ isCalm: Bool) -> Bool { Int.random(in: 0..<100, using: &random) < (isCalm ? 3 : 20) }

    private mutating func finish(_ handler: SimulatedHandler, _ owner: Int, _ isCalm: Bool) {
        var result = handler.result
        let isBatch = handler.run.works.count > 1 && result.outcomes.count == handler.run.works.count
        if isBatch, !handler.run.isSide, Int.random(in: 0..<10, using: &random) == 0 {
            result = RunResult(mustBeRepeated: true)
        }
        for (work, outcome) in zip(handler.run.works, result.outcomes) {
            if case .failed(let failure) = outcome, failure.scope == nil { noteFailure(of: work) }
        }
        if !handler.run.isDisowned(now.instant) { note(handler.run, result, owner) }
        owners[owner].lane.finish(handler.run, result, at: now)
    }

    mutating func noteFailure(of work: Work) {
        if work.isSide { return }
        failures[work.record.offset, default: (0, now.wall)].count += 1
    }

    /// A record is given up for what it did itself: outages and take-overs neither use up attempts nor make it older.
    private mutating func checkEnd(of work: Work, _ failure: HandlerFailure) {
        guard !work.isSide, failure.isTransient else { return }
        let known = failures[work.record.offset] ?? (0, now.wall)
        if work.past.attempts > known.count {
            oracle.complain("\(work.record.offset) failed \(known.count) times, not \(work.past.attempts)")
        }
        if work.past.attempts < Self.retry.maxAttempts, now.wall - known.since + Self.longestDelay < Self.retry.maxAge {
            oracle.complain("\(work.record.offset) was given up after \(work.past.attempts) attempts, too young")
        }
    }

    private mutating func note(_ run: SimulatedRun, _ result: RunResult, _ owner: Int) {
        for (work, outcome) in zip(run.works, result.outcomes) {
            guard case .done = outcome else { continue }
            oracle.ended(
                Int(work.record.offset), key: "\(work.record.keyText) of \(work.record.topic)", by: owners[owner].epoch)
        }
    }

    /// Hands the answers to those who wait for them. Who is refused lets go of the record.
    mutating func answer(_ marks: EffectMarks.Answers, _ owner: Int) {
        var refused: [SimulatedHandler] = []
        for index in owners[owner].handlers.indices.reversed() {
            guard case .waiting(let id) = owners[owner].handlers[index].stage else { continue }
            if marks.granted.contains(id) { owners[owner].handlers[index].stage = .marked }
            if marks.refused.contains(id) { refused.append(owners[owner].handlers.remove(at: index)) }
        }
        marksRefused += refused.count
        for handler in refused { owners[owner].lane.finish(handler.run, handler.result, at: now) }
    }

    /// The commit that just succeeded carries all marks that it is about to grant.
    mutating func checkMarks(of owner: SimulatedOwner) {
        if log.content.withLock({ $0.epoch }) != owner.epoch { oracle.complain("a zombie's commit succeeded") }
        for mark in owner.lane.marks.committing where !log.progress(mark.source).attempted.contains(mark.offset) {
            oracle.complain("\(mark.offset) begins without its mark")
        }
    }

    mutating func checkTheEnd() {
        for complaint in log.content.withLock(\.complaints) { oracle.complain(complaint) }
        if !isDone { oracle.complain("never done: \(log.progress(SimulatedLog.main))") }
        let written = log.content.withLock(\.outputs).enumerated().map { index, output in
            StoredRecord(
                source: TopicPartition(output.topic, 0), offset: Offset(index), key: output.key, value: output.value,
                headers: output.headers, timestamp: now.wall)
        }
        oracle.judge(
            0..<Int(count), outputs: written.filter { $0.topic == "out" },
            deadLetters: written.filter { $0.topic != "out" }, copiesEach: disturbances)
    }
}
