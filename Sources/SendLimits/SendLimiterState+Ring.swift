/// Whose turn it is: numbers that may send stand in a ring, and each lets one message go.
extension SendLimiterState {
    /// A number's turn: lets one message go, or finds out what to wait for.
    mutating func serve(_ number: String, at now: Duration) -> Decision? {
        lanes[number]?.isReady = false
        guard let account = lanes[number]?.account else { return nil }
        let share = share(of: account, at: now)
        switch lanes[number]?.obstacle(
            share: share, margin: configuration.margin, maxInFlight: configuration.maxInFlightPerNumber, at: now)
        {
        case .time(let wake):
            if hasLine(number) { setWake(number, wake) }
            return nil
        case .event: return nil
        case nil: break
        }
        guard let (id, waiter) = popNext(number) else { return nil }
        defer { makeReady(number) }
        if let refusal = templateRefusal(waiter.admission, at: now) {
            remove(id)
            return .refuse(id, refusal)
        }
        let pairWait = pairs.wait(waiter.admission.pair, at: now)
        guard pairWait == .zero else {
            waiters[id]?.isInLine = false
            setTimer(now + pairWait, .waiter(id))
            return nil
        }
        remove(id)
        letGo(id, waiter.admission, at: now)
        return .go(id)
    }

    private mutating func popNext(_ number: String) -> (UInt64, Waiter)? {
        while let id = lanes[number]?.popNext() {
            if let waiter = waiters[id], waiter.isInLine { return (id, waiter) }
        }
        return nil
    }

    private mutating func letGo(_ id: UInt64, _ admission: SendAdmission, at now: Duration) {
        flights[id] = Flight(admission: admission, sentAt: now)
        lanes[admission.number]?.bucket.take()
        noteInWindow(1, of: admission.number, at: now)
        lanes[admission.number]?.inFlight += 1
        lanes[admission.number]?.hold?.probe()
        if let key = templateKey(admission) { templates[key]?.probe() }
        pairs.take(admission.pair, at: now)
    }

    /// Counts messages, out or in, against what a second may hold.
    mutating func noteInWindow(_ count: Int, of number: String, at now: Duration) {
        let limit = RateWindow.limit(rate(of: number, at: now) / configuration.margin)
        lanes[number]?.window.note(count, limit: limit, at: now)
    }

    /// What this instance may send of the number, in messages a second.
    func rate(of number: String, at now: Duration) -> Double {
        lanes[number].map { $0.rate.value(at: now) * share(of: $0.account, at: now) } ?? 0
    }

    private func hasLine(_ number: String) -> Bool {
        lanes[number].map { !$0.replies.isEmpty || !$0.bulk.isEmpty } ?? false
    }

    mutating func makeReady(_ number: String) {
        guard lanes[number]?.isReady == false, hasLine(number) else { return }
        lanes[number]?.isReady = true
        ready.append(number)
    }

    private mutating func setWake(_ number: String, _ at: Duration) {
        if let wakeAt = lanes[number]?.wakeAt, wakeAt <= at { return }
        lanes[number]?.wakeAt = at
        setTimer(at, .number(number))
    }

    /// How long a message that was let go must still wait, now that it is about to leave.
    ///
    /// A little faster than the bucket, by its margin: what stood still catches up.
    mutating func departure(_ number: String, at now: Duration) -> Duration {
        let rate = rate(of: number, at: now) / configuration.margin
        return rate > 0 ? lanes[number]?.pace.take(rate: rate, at: now) ?? .zero : .zero
    }

    func share(of account: String, at now: Duration) -> Double {
        share * configuration.margin * everything.value(at: now) * (accounts[account]?.value(at: now) ?? 1)
    }
}
