import EventLog

/// What is handled next, and what becomes of it.
extension LaneState {
    /// Fills the hands that are free. Each main input has hands of its own, which its scopes share, and so have all side
    /// inputs together: slow records of one, which wait for a limit, do not hold up the others.
    mutating func beginRuns(_ now: Moment<Instant>, _ begun: inout [Run<Instant>]) {
        while running.side < rules.concurrency, let run = nextRun(now, { $0.beginSide() }) { begun.append(run) }
        if breakers.isOpen(.processor) {
            return beginRunsInOutage(now, &begun)
        }
        for line in 0..<rules.lines {
            while let run = nextRun(now, { $0.begin(input: line) }) { begun.append(run) }
        }
    }

    /// - Parameters:
    ///   - limit: most records of the run.
    ///   - nextKey: whose records they are to be.
    mutating func nextRun(
        _ now: Moment<Instant>, limit: Int = .max, _ nextKey: (inout KeyQueues) -> RecordKey?
    ) -> Run<Instant>? {
        while let key = nextKey(&queues) {
            var works = takeWorks(key, limit, now)
            if works.isEmpty {
                queues.end(key)
                continue
            }
            if rules.effects == .marked {
                works.changeEach { work in work.effect = effect(of: work) }
            }
            lastRun += 1
            let run = Run(id: lastRun, key: key, works: works, blocked: blockedKeys(for: works), now: now.instant)
            running.begin(run)
            if watchAt == nil { watchAt = now.instant.advanced(by: rules.configuration.handlerTimeout) }
            return run
        }
        return nil
    }

    /// The next records of a key that can be handled in one run; parks on the way those that must wait.
    private mutating func takeWorks(_ key: RecordKey, _ most: Int, _ now: Moment<Instant>) -> Works {
        guard let line = queues.first(of: key) else { return [] }
        var next: Work? = line
        let limit = min(most, rules.isOrdered && alone == 0 ? rules.configuration.maxBatchRecords : 1)
        while let first = next, first.isOfLine(line) {
            var isFirst = true
            // A record that failed before runs alone: should it fail in a way that takes its batch along, none is.
            var works = queues.pop(key, upTo: first.isHead ? 1 : limit) { work in
                defer { isFirst = false }
                return isFirst || work.isOfLine(first) && work.canJoin(first)
            }
            alone = max(0, alone - 1)
            if mustBeLookedThrough(works) { takeOutWaiting(&works, now) }
            if !works.isEmpty { return works }
            next = queues.first(of: key)
        }
        return []
    }

    /// Whether some of these may have to wait. The handler of a batch finds those behind parked records by itself
    /// (`blockedKeys`), so that the batch goes on as it is and nobody looks at each of its records before.
    private mutating func mustBeLookedThrough(_ works: Works) -> Bool {
        if !breakers.isEmpty || !works[0].isToBeHandled { return true }
        return works.count == 1 && !retries.isEmpty
    }

    /// What the handler of these is to leave out.
    private mutating func blockedKeys(for works: Works) -> OrderKeySet {
        works.count == 1 ? OrderKeySet() : retries.blocked
    }

    /// Parks those that must wait.
    private mutating func takeOutWaiting(_ works: inout Works, _ now: Moment<Instant>) {
        works.removeAll { work in
            if !work.isHead, retries.blocks(work.record) {
                follow(work)
            } else if case .failed(let failure) = work.fate {
                park(work, failure, now)
            } else if let scope = scopeThatBlocks(work, now) {
                hold(work, scope, now)
            } else {
                return false
            }
            return true
        }
    }

    mutating func follow(_ work: Work) {
        var work = work
        // One that was given up stays so.
        if case .failed = work.fate { work.fate = .toBeHandled }
        partitions[work.place].tracker.park(work.record.offset)
        isNoteOld = true
        work.settleDown()
        retries.follow(work)
    }

    /// Parks a record that failed: until its next try, or until its dead letter is written.
    mutating func park(_ work: Work, _ failure: HandlerFailure, _ now: Moment<Instant>) {
        var work = work
        if let begun = failure.begun { work.past.begun = begun }
        work.past.waitsFor = failure.errorClass
        if failure.isCounted { countFailure(of: &work, now) } else { work.past.heldSince = now.wall }
        let (past, age) = (work.past, age(of: work, now))
        work.settleDown()
        partitions[work.place].tracker.park(work.record.offset, past.tries(age, of: work.record))
        leaveMark(of: work, failure.effect, isFinal: !failure.isTransient)
        isDirty = true
        work.isHead = true
        if !breakers.isEmpty { breakers.leave(OrderKey(work.record)) }
        let policy = failure.schedule ?? rules.retry
        let delay = failure.retryAfter ?? policy.delay(afterAttempts: past.attempts, using: &random)
        let isLast = failure.isCounted && policy.givesUp(
            failure, afterAttempts: past.attempts, failingSince: now.wall - age, now: now.wall, delay: delay)
        work.fate = isLast ? .condemned(failure) : .toBeHandled
        retries.fail(work, until: isLast ? now.instant : now.instant.advanced(by: delay))
    }

    private func countFailure(of work: inout Work, _ now: Moment<Instant>) {
        var past = work.past
        past.attempts += 1
        // What it waited for before is no part of its age.
        if past.firstFailedAt == nil { (past.firstFailedAt, past.held, past.downBefore) = (now.wall, .zero, downTime(now.wall)) }
        work.past = past
    }

    /// Takes back the records of handlers that ran too long. The guilty one is parked when its turn comes: records of
    /// its key may have been handled before it in the same batch, and they are handled again first.
    mutating func giveUpSlowRuns(_ now: Moment<Instant>) -> [Work] {
        guard let at = watchAt, now.instant >= at else { return [] }
        let limit = rules.configuration.handlerTimeout
        var guilty: [Work] = []
        let waiting = marks.runs
        for run in running.all where !waiting.contains(run.id) {
            guard let index = run.disown(olderThan: limit, at: now.instant) else { continue }
            running.end(run.id)
            breakers.giveUp(.run(run.id), at: now.instant, using: &random)
            var works = Array(run.works)
            if case .condemned(let failure) = works[0].fate {
                settle(works[0], [deadLetter(works[0], failure, now)])
                works = []
            } else if index < works.count || works.count == 1 {
                let place = min(index, works.count - 1)
                works[place].fate = .failed(.transient("timeout", "no result within \(limit)"))
                guilty.append(works[place])
                breakers.giveUp(.key(OrderKey(works[place].record)), at: now.instant, using: &random)
            } else {
                alone += works.count
            }
            queues.prepend(Works(works))
            queues.end(run.key)
        }
        watchAt = nextWatch
        return guilty
    }

    /// Tries a parked record again now.
    mutating func wake(_ wake: Wake, _ now: Moment<Instant>) {
        for topic in Set(partitions.sources.map(\.topic)).subtracting(rules.sideInputs) {
            let key = OrderKey(topic: topic, key: .bytes(wake.key))
            guard let head = retries.waiting(key), wake.errorClass.map({ $0 == head.past.waitsFor }) ?? true else { continue }
            if case .toBeHandled = head.fate { retries.wake(key, at: now.instant) }
        }
    }

    private func deadLetter(_ work: Work, _ failure: HandlerFailure, _ now: Moment<Instant>) -> Record {
        DeadLetter.record(of: work, failure: failure, group: rules.group, topic: rules.deadLetterTopic, now: now.wall)
    }
}

extension Work {
    /// Whether the hand that takes `first` may take it.
    fileprivate func isOfLine(_ first: Work) -> Bool { isSide == first.isSide && input == first.input }

    /// Whether it may share a batch with `first`.
    fileprivate func canJoin(_ first: Work) -> Bool {
        isToBeHandled && !isHead && isSilent == first.isSilent
    }
}
