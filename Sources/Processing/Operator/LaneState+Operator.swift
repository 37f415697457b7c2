import EventLog

/// What an operator may do with parked records.
extension LaneState {
    /// Carries an order out; answers to how many records it was applied.
    mutating func carryOut(_ order: ParkedOrder, at now: Moment<Instant>) -> Int {
        guard case .open = phase, let partition = partitions[order.source] else { return 0 }
        var applied = 0
        for offset in order.offsets where partition.tracker.parked.contains(offset) {
            let isFound =
                switch order.action {
                case .release: retries.release(order.source, offset, at: now.instant)
                case .drop:
                    retries.condemn(
                        order.source, offset, .permanent("operator", "dropped by an operator"), at: now.instant)
                }
            if isFound { applied += 1 }
        }
        return applied
    }
}
