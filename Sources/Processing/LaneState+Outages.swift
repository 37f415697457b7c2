import EventLog

/// Outages: what is down is asked by one record at a time, and nothing is held against those that wait.
extension LaneState {
    /// A record of a name that is down: parked, without using up attempts or age.
    mutating func hold(_ work: Work, _ scope: OutageScope, _ now: Moment<Instant>, begun: BegunEffects? = nil) {
        var work = work
        if let begun { work.past.begun = begun }
        let key = OrderKey(work.record)
        let deadline = rules.deadline(work.record).flatMap { $0 > now.wall ? $0 - now.wall : nil }
        let tries = work.past.tries(age(of: work, now), of: work.record)
        partitions[work.place].tracker.park(work.record.offset, tries)
        isNoteOld = true
        work.isHead = true
        work.past.heldSince = now.wall
        work.settleDown()
        breakers.wait(key, for: scope)
        retries.hold(work, until: deadline.map { now.instant.advanced(by: $0) })
    }

    mutating func fail(
        _ scope: OutageScope, _ failure: HandlerFailure, by probe: Breakers<Instant>.Probe, _ now: Moment<Instant>
    ) {
        if breakers.fail(scope, by: probe, atLeast: failure.retryAfter, at: now.instant, using: &random) {
            outageChanges.append(.init(scope: scope, isOpen: true))
            if case .processor = scope { downSince = now.wall }
        }
    }

    /// Something answered: what it was a probe of is up again.
    mutating func succeed(_ probe: Breakers<Instant>.Probe, _ now: Moment<Instant>) {
        if breakers.isEmpty { return }
        let (closed, released) = breakers.succeed(probe)
        for scope in closed { noteClosed(scope, now) }
        for key in released { retries.wake(key, at: now.instant) }
    }

    /// A record of a key ended. One past its deadline did so without asking what is down.
    mutating func endProbe(of work: Work, _ now: Moment<Instant>) {
        if breakers.isEmpty { return }
        let probe = Breakers<Instant>.Probe.key(OrderKey(work.record))
        if isOverdue(work, now) {
            breakers.giveUp(probe, at: now.instant, using: &random)
        } else {
            succeed(probe, now)
        }
    }

    mutating func noteClosed(_ scope: OutageScope, _ now: Moment<Instant>) {
        outageChanges.append(.init(scope: scope, isOpen: false))
        guard case .processor = scope, let since = downSince else { return }
        downBefore += now.wall - since
        downSince = nil
    }

    /// How long all has been down in the lane's life: the age of no record counts it.
    func downTime(_ now: Timestamp) -> Duration { downBefore + (downSince.map { now - $0 } ?? .zero) }

    /// How long a record has been failing, without the time that is not held against it.
    func age(of work: Work, _ now: Moment<Instant>) -> Duration {
        guard let first = work.past.firstFailedAt else { return .zero }
        return now.wall - first - work.past.held - (downTime(now.wall) - work.past.downBefore)
    }

    /// The scope that a record must wait for before it is handled, if its processor can tell.
    mutating func scopeThatBlocks(_ work: Work, _ now: Moment<Instant>) -> OutageScope? {
        guard !breakers.isEmpty, !work.isSide, work.isToBeHandled else { return nil }
        guard let scope = rules.scope(work.record).map({ OutageScope.named($0) }), breakers.isOpen(scope) else { return nil }
        return breakers.isProbing(scope, OrderKey(work.record)) || isOverdue(work, now) ? nil : scope
    }

    /// A waiting record past its deadline is handled, so that its handler can end it.
    func isOverdue(_ work: Work, _ now: Moment<Instant>) -> Bool {
        rules.deadline(work.record).map { $0 <= now.wall } ?? false
    }

    mutating func beginProbes(_ now: Moment<Instant>) {
        if breakers.isEmpty { return }
        let (probes, closed) = breakers.takeProbes(at: now.instant)
        for key in probes { retries.wake(key, at: now.instant) }
        for scope in closed { noteClosed(scope, now) }
    }

    /// All is down: one record tries. Those past their deadlines are ended, and dead letters written, meanwhile.
    mutating func beginRunsInOutage(_ now: Moment<Instant>, _ begun: inout [Run<Instant>]) {
        let deadline = rules.deadline
        func asksNobody(_ work: Work) -> Bool {
            if case .condemned = work.fate { return true }
            return deadline(work.record).map { $0 <= now.wall } ?? false
        }
        while let run = nextRun(now, limit: 1, { $0.beginMain(if: asksNobody) }) { begun.append(run) }
        guard breakers.isProbeDue(at: now.instant), let run = nextRun(now, limit: 1, { $0.beginMain { _ in true } })
        else { return }
        breakers.probeProcessor(by: run.id)
        begun.append(run)
    }

    /// While all is down, deadlines of records that were not begun are looked at so often.
    static var sweepInterval: Duration { .seconds(1) }

    mutating func outageWakeAt(_ now: Moment<Instant>) -> Instant? {
        if breakers.isEmpty { return nil }
        let probe = breakers.nextProbe(after: now.instant)
        let isSweeping = breakers.isOpen(.processor) && queues.mainCount > 0
        return [probe, isSweeping ? now.instant.advanced(by: Self.sweepInterval) : nil].compactMap { $0 }.min()
    }
}

/// A scope that went down or came back.
struct OutageChange: Sendable {
    var scope: OutageScope
    var isOpen: Bool
}
