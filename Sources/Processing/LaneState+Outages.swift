import EventLog

/// Outages: what is down is asked by one record at a time, and nothing is held against those that wait.
extension LaneState {
    /// A record of a name that is down: parked, without using up attempts or age.
    mutating func hold(_ work: Work, _ scope: OutageScope, _ now: Moment<Instant>) {
        var work = work
        let key = OrderKey(work.record)
        let deadline = rules.deadline(work.record).flatMap { $0 > now.wall ? $0 - now.wall : nil }
        partitions[work.record.source]?.tracker.park(work.record.offset)
        isDirty = true
        work.isHead = true
        work.heldSince = now.wall
        breakers.wait(key, for: scope)
        retries.hold(work, until: deadline.map { now.instant.advanced(by: $0) })
    }

    mutating func fail(_ scope: OutageScope, _ failure: HandlerFailure, by probe: Breakers<Instant>.Probe, _ now: Moment<Instant>) {
        if breakers.fail(scope, by: probe, atLeast: failure.retryAfter, at: now.instant, using: &random) {
            outageChanges.append(.init(scope: scope, isOpen: true))
        }
    }

    /// Something answered: what it was a probe of is up again.
    mutating func succeed(_ probe: Breakers<Instant>.Probe, _ now: Moment<Instant>) {
        if breakers.isEmpty { return }
        let (closed, released) = breakers.succeed(probe)
        outageChanges += closed.map { .init(scope: $0, isOpen: false) }
        for key in released { retries.wake(key, at: now.instant) }
    }

    /// The scope that a record must wait for before it is handled, if its processor can tell.
    func scopeThatBlocks(_ work: Work, _ now: Moment<Instant>) -> OutageScope? {
        guard !breakers.isEmpty, !work.isSide, case .toBeHandled = work.fate else { return nil }
        guard let scope = rules.scope(work.record).map({ OutageScope.named($0) }), breakers.isOpen(scope) else { return nil }
        return breakers.isProbing(scope, OrderKey(work.record)) || isOverdue(work, now) ? nil : scope
    }

    /// A waiting record past its deadline is handled, so that its handler can end it.
    func isOverdue(_ work: Work, _ now: Moment<Instant>) -> Bool {
        rules.deadline(work.record).map { $0 <= now.wall } ?? false
    }

    mutating func beginProbes(_ now: Moment<Instant>) {
        if breakers.isEmpty { return }
        for key in breakers.takeProbes(at: now.instant) { retries.wake(key, at: now.instant) }
    }

    /// All is down: one record tries, and those past their deadlines are ended.
    mutating func beginRunsInOutage(_ now: Moment<Instant>, _ begun: inout [Run<Instant>]) {
        let deadline = rules.deadline
        while let run = nextRun(now, side: false, limit: 1, if: { deadline($0.record).map { $0 <= now.wall } ?? false }) {
            begun.append(run)
        }
        guard breakers.isProbeDue(at: now.instant), let run = nextRun(now, side: false, limit: 1) else { return }
        breakers.probeProcessor(by: run.id)
        begun.append(run)
    }

    /// While all is down, deadlines of records that were not begun are looked at so often.
    static var sweepInterval: Duration { .seconds(1) }

    func outageWakeAt(_ now: Moment<Instant>) -> Instant? {
        if breakers.isEmpty { return nil }
        let probe = breakers.nextProbe.flatMap { $0 > now.instant ? $0 : nil }
        let isSweeping = breakers.isOpen(.processor) && queues.mainCount > 0
        return [probe, isSweeping ? now.instant.advanced(by: Self.sweepInterval) : nil].compactMap { $0 }.min()
    }
}

/// A scope that went down or came back.
struct OutageChange: Sendable {
    var scope: OutageScope
    var isOpen: Bool
}
