/// Whose turn it is: numbers that may send stand in a ring, and each lets one message go.
extension SendLimiterState {
    /// A number's turn: lets one message go, or finds out what to wait for.
    mutating func serve(_ place: Int, at now: Duration) -> Decision? {
        lanes[place].isReady = false
        switch obstacle(place, at: now) {
        case .time(let wake):
            if lanes[place].hasLine { setWake(place, wake) }
            return nil
        case .event: return nil
        case nil: break
        }
        guard let (id, waiter) = popNext(place) else { return nil }
        defer { makeReady(place) }
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
        letGo(id, waiter.admission, place, at: now)
        return .go(id)
    }

    /// What keeps a number from sending.
    mutating func obstacle(_ place: Int, at now: Duration) -> NumberLane.Obstacle? {
        let share = share(ofLane: place, at: now)
        return lanes[place].obstacle(
            share: share, margin: configuration.margin, maxInFlight: configuration.maxInFlightPerNumber, at: now)
    }

    private mutating func popNext(_ place: Int) -> (UInt64, Waiter)? {
        while let id = lanes[place].popNext() {
            if let waiter = waiters[id], waiter.isInLine { return (id, waiter) }
        }
        return nil
    }

    mutating func letGo(_ id: UInt64, _ admission: SendAdmission, _ place: Int, at now: Duration) {
        flights[id] = Flight(admission: admission, place: place, sentAt: now)
        let limit = windowLimit(place, at: now)
        lanes[place].letGo(limit: limit, at: now)
        if let key = templateKey(admission) { templates[key]?.probe() }
        pairs.take(admission.pair, at: now)
    }

    /// What a second may hold of a number's messages, out and in.
    func windowLimit(_ place: Int, at now: Duration) -> Int {
        RateWindow.limit(rate(ofLane: place, at: now) / configuration.margin)
    }

    /// What this instance may send of the number, in messages a second.
    func rate(of number: String, at now: Duration) -> Double {
        lanes.place(of: number).map { rate(ofLane: $0, at: now) } ?? 0
    }

    private func rate(ofLane place: Int, at now: Duration) -> Double {
        lanes[place].rate.value(at: now) * share(ofLane: place, at: now)
    }

    mutating func makeReady(_ place: Int) {
        guard !lanes[place].isReady, lanes[place].hasLine else { return }
        lanes[place].isReady = true
        ready.append(place)
    }

    private mutating func setWake(_ place: Int, _ at: Duration) {
        if let wakeAt = lanes[place].wakeAt, wakeAt <= at { return }
        lanes[place].wakeAt = at
        setTimer(at, .number(place))
    }

    /// When a message that was let go may leave, now that it is about to.
    ///
    /// A little faster than the bucket, by its margin: what stood still catches up.
    mutating func departure(_ number: String, at now: Duration) -> Pace.Slot {
        guard let place = lanes.place(of: number) else { return .now(now) }
        let rate = rate(ofLane: place, at: now) / configuration.margin
        return rate > 0 ? lanes[place].pace.take(rate: rate, at: now) : .now(now)
    }

    /// How long it must still wait when it has slept until then.
    mutating func rest(of slot: Pace.Slot, _ number: String, at now: Duration) -> Duration {
        lanes[number]?.pace.wait(slot, at: now) ?? .zero
    }

    /// This instance's part of the rates of an account's numbers.
    func share(of account: String, at now: Duration) -> Double {
        let share = share * configuration.margin * everything.value(at: now)
        return accounts.isEmpty ? share : share * (accounts[account]?.value(at: now) ?? 1)
    }

    private func share(ofLane place: Int, at now: Duration) -> Double {
        share(of: lanes[place].account, at: now)
    }
}
