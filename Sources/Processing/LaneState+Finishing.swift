import EventLog

/// What becomes of records whose handler is back.
extension LaneState {
    /// A handler task is back. The result of one that was given up is dropped.
    mutating func finish(_ run: Run<Instant>, _ result: RunResult, at now: Moment<Instant>) {
        guard running.end(run.id) else { return }
        marks.refuse(run: run.id)
        if result.mustBeRepeated {
            alone += run.works.count
            for work in run.works { leaveMark(of: work, .unknown) }
            queues.prepend(run.works)
        } else {
            let rest = Works(Array(run.works.dropFirst(result.outcomes.count)))
            if let first = rest.first, let outage = result.outage {
                leaveMark(of: first, outage.effect)
                fail(.processor, outage, by: .run(run.id), now)
                // A full state gets room by a flush: what expired meanwhile goes with it.
                isDirty = isDirty || rules.keepsState
            }
            queues.prepend(rest)
            overlay.merge(result.writes)
            end(run.works, result.outcomes, now)
            if run.works.first?.isSilent == false { keep(result.batchOutputs, of: nil) }
            for wake in result.wakes { self.wake(wake, now) }
        }
        if result.outage == nil { succeed(.run(run.id), now) }
        queues.end(run.key)
    }

    private mutating func end(_ works: Works, _ outcomes: [RunResult.Outcome], _ now: Moment<Instant>) {
        var index = 0
        while index < outcomes.count {
            let plain = plainStretch(works, outcomes, from: index)
            if plain.isEmpty {
                end(works[index], outcomes[index], now)
                index += 1
            } else {
                settle(works, plain)
                index = plain.upperBound
            }
        }
    }

    /// Records of one partition that are done and leave nothing to do: in a good hour, all.
    private mutating func plainStretch(_ works: Works, _ outcomes: [RunResult.Outcome], from start: Int) -> Range<Int> {
        var end = start
        let isFetched = works.fetchedFrom != nil
        while breakers.isEmpty, end < outcomes.count, case .done(let outputs) = outcomes[end], outputs.isEmpty,
            isFetched || !works[end].isHead && works[end].place == works[start].place
        { end += 1 }
        return start..<end
    }

    private mutating func end(_ work: Work, _ outcome: RunResult.Outcome, _ now: Moment<Instant>) {
        switch outcome {
        case .done(let outputs):
            settle(work, outputs)
            endProbe(of: work, now)
        case .failed(let failure):
            if let scope = failure.scope, !work.isSide {
                isDirty = true
                leaveMark(of: work, failure.effect)
                fail(scope, failure, by: .key(OrderKey(work.record)), now)
                hold(work, scope, now, begun: failure.begun)
            } else {
                park(work, failure, now)
                endProbe(of: work, now)
            }
        case .behind: follow(work)
        }
    }

    /// Records of one partition that are done: those at `range`.
    private mutating func settle(_ works: Works, _ range: Range<Int>) {
        let place = works.fetchedFrom ?? works[range.lowerBound].place
        works.forEach(in: range) { offset, bytes in
            partitions[place].tracker.done(offset)
            uncommitted.bytes += bytes
        }
        isDirty = true
        uncommitted.records += range.count
    }

    mutating func settle(_ work: Work, _ outputs: [Record]) {
        settle([work], 0..<1)
        if !work.isSilent { keep(outputs, of: work) }
        if work.isHead {
            if !breakers.isEmpty { breakers.leave(OrderKey(work.record)) }
            queues.prepend(Works(retries.settle(OrderKey(work.record))))
        }
    }

    mutating func keep(_ outputs: [Record], of work: Work?) {
        if outputs.isEmpty { return }
        self.outputs.append(Finished(work: work, outputs: outputs))
        let bytes = outputs.reduce(0) { $0 + $1.byteCount }
        uncommitted.bytes += bytes
        heldBytes += bytes
    }
}
