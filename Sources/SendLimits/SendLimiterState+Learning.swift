import EventLog
import WhatsApp

/// What answers and events teach.
extension SendLimiterState {
    /// A message that was let go has ended.
    mutating func report(_ id: UInt64, _ report: SendReport, at now: Duration) -> [Decision] {
        guard let flight = flights.removeValue(forKey: id) else { return [] }
        lanes[flight.place].inFlight -= 1
        var decisions: [Decision] = []
        switch report {
        case .accepted: accepted(flight, at: now)
        case .acceptedAndPaused:
            accepted(flight, at: now)
            decisions = heed(.template, flight, at: now)
        case .failed(let error):
            endProbes(flight)
            if let signal = LimitSignal(error) {
                decisions = heed(signal, flight, at: now)
                if let pause = error.retryAfter, signal == .numberRate {
                    self.pause(flight.admission.number, until: now + pause)
                }
            }
        case .noAnswer: endProbes(flight)
        }
        makeReady(flight.place)
        let others = poll(at: now)
        return decisions.isEmpty ? others : decisions + others
    }

    private mutating func accepted(_ flight: Flight, at now: Duration) {
        let admission = flight.admission
        pairs.accepted(admission.pair, sentAt: flight.sentAt)
        if let hold = lanes[flight.place].hold, flight.sentAt >= hold.until {
            if hold.isToldLater {
                lanes[flight.place].hold?.probeAccepted(at: now)
            } else {
                lanes[flight.place].hold = nil
            }
        }
        if let key = templateKey(admission), let hold = templates[key], flight.sentAt >= hold.until {
            templates[key] = nil
        }
    }

    /// A probe that brought no acceptance leaves room for the next one; a complaint then begins the hold anew.
    private mutating func endProbes(_ flight: Flight) {
        if let hold = lanes[flight.place].hold, flight.sentAt >= hold.until {
            lanes[flight.place].hold?.probeToldNothing()
        }
        if let key = templateKey(flight.admission), let hold = templates[key], flight.sentAt >= hold.until {
            templates[key]?.probeToldNothing()
        }
    }

    private mutating func heed(
        _ signal: LimitSignal, _ flight: Flight, isToldLater: Bool = false, at now: Duration
    ) -> [Decision] {
        let number = flight.admission.number
        let account = lanes[number]?.account ?? number
        switch signal {
        case .numberRate:
            if lanes[number]?.rate.complain(sentAt: flight.sentAt, at: now) == true { tell(.number(number)) }
        case .accountRate:
            if accounts[account, default: AdaptiveRate(ceiling: 1)].complain(sentAt: flight.sentAt, at: now) {
                tell(.account(account))
            }
        case .everyRate:
            if everything.complain(sentAt: flight.sentAt, at: now) { tell(.all) }
        case .pair: pairs.refused(flight.admission.pair, sentAt: flight.sentAt, at: now)
        case .pause(let length): pause(number, until: now + length)
        case .hold(let length):
            // One that left before the hold began says nothing new.
            if let hold = lanes[number]?.hold, flight.sentAt < hold.since { return [] }
            return hold(number, for: length, isToldLater: isToldLater, at: now)
        case .template:
            if let key = templateKey(flight.admission) { pauseTemplate(key, at: now) }
        }
        return []
    }

    // MARK: Statuses

    /// An accepted message was refused later: what that says about limits counts like an answer.
    mutating func refusedLater(
        _ error: ClassifiedError, number: String, pair: String, acceptedAt: Timestamp, at now: Duration
    ) -> [Decision] {
        guard let signal = LimitSignal(error), let place = makeLane(number, at: now) else { return [] }
        let admission = SendAdmission(number: number, pair: pair, kind: .reply)
        let flight = Flight(admission: admission, place: place, sentAt: min(moment(acceptedAt), now))
        return heed(signal, flight, isToldLater: true, at: now) + poll(at: now)
    }

    /// Whether it takes a status to end the number's hold.
    func awaitsStatus(_ number: String) -> Bool { lanes[number]?.hold?.isToldLater ?? false }

    /// A message has got a status that is no refusal.
    mutating func arrived(_ number: String, acceptedAt: Timestamp, at now: Duration) -> [Decision] {
        guard let hold = lanes[number]?.hold, hold.isToldLater, moment(acceptedAt) >= hold.until else { return [] }
        return resume(number, at: now)
    }

    private mutating func pause(_ number: String, until: Duration) {
        guard let pausedUntil = lanes[number]?.pausedUntil else { return }
        lanes[number]?.pausedUntil = max(pausedUntil, until)
    }

    // MARK: Events

    /// A throughput upgrade, or whatever else the platform says a number may send.
    mutating func ceilingChanged(_ number: String, to rate: Double, since: Duration, at now: Duration) -> [Decision] {
        guard makeLane(number, at: now) != nil else { return [] }
        if adoptCeiling(number, rate, since: since) { tell(.number(number)) }
        return wakeAll(at: now)
    }

    private mutating func adoptCeiling(_ number: String, _ rate: Double, since: Duration) -> Bool {
        guard let lane = lanes[number], since > (lane.ceilingAt ?? .seconds(-1e12)) else { return false }
        lanes[number]?.ceilingAt = since
        lanes[number]?.rate.ceiling = rate
        // What the platform complained about before is answered by it.
        if let cut = lane.rate.cut, cut.at <= since { lanes[number]?.rate.cut = nil }
        return true
    }

    /// Takes over what another instance, or this one before its restart, has learned.
    mutating func learn(_ limit: LearnedLimit, at now: Duration) -> [Decision] {
        // A clock that goes ahead must not make its cut the last word for ever.
        let cut = limit.cut.map { AdaptiveRate.Cut(rate: Double($0.micro) / 1_000_000, at: min(moment($0.at), now)) }
        switch limit.scope {
        case .number(let number):
            guard makeLane(number, at: now) != nil else { return [] }
            if let ceiling = limit.ceiling {
                _ = adoptCeiling(number, Double(ceiling.micro) / 1_000_000, since: min(moment(ceiling.at), now))
            }
            if let cut, cut.at > (lanes[number]?.ceilingAt ?? cut.at - .seconds(1)) {
                _ = lanes[number]?.rate.adopt(cut)
            }
        case .account(let account):
            guard accounts[account] != nil || accounts.count < configuration.maxNumbers else { return [] }
            if let cut { _ = accounts[account, default: AdaptiveRate(ceiling: 1)].adopt(cut) }
        case .all: if let cut { _ = everything.adopt(cut) }
        }
        return wakeAll(at: now)
    }

    /// Which part of all partitions this instance owns.
    mutating func setShare(_ share: Double, at now: Duration) -> [Decision] {
        // What was earned under the old share is earned.
        for number in lanes.numbers {
            let rate = rate(of: number, at: now)
            lanes[number]?.bucket.refill(rate: rate, at: now)
        }
        self.share = share
        return wakeAll(at: now)
    }

    mutating func setNumbers(_ numbers: [SendingNumber], at now: Duration) -> [Decision] {
        profiles = Dictionary(numbers.map { ($0.id, $0) }, uniquingKeysWith: { $1 })
        for number in lanes.numbers where lanes[number]?.ceilingAt == nil {
            lanes[number]?.rate.ceiling = profiles[number]?.rate ?? configuration.defaultRate
        }
        return wakeAll(at: now)
    }

    mutating func inbound(_ number: String, _ count: Int, at now: Duration) {
        guard let place = makeLane(number, at: now) else { return }
        let rate = rate(of: number, at: now)
        lanes[place].bucket.refill(rate: rate, at: now)
        lanes[place].bucket.spend(count, rate: rate)
        let limit = windowLimit(place, at: now)
        lanes[place].window.note(count, limit: limit, at: now)
    }

    mutating func resume(_ number: String, at now: Duration) -> [Decision] {
        lanes[number]?.hold = nil
        if let place = lanes.place(of: number) { makeReady(place) }
        return poll(at: now)
    }

    private mutating func wakeAll(at now: Duration) -> [Decision] {
        for number in lanes.numbers {
            if let place = lanes.place(of: number) { makeReady(place) }
        }
        return poll(at: now)
    }

    // MARK: What is told to others

    private mutating func tell(_ scope: LearnedLimit.Scope) {
        let limit = learnedLimit(scope)
        learned[limit.key] = limit
    }

    func learnedLimit(_ scope: LearnedLimit.Scope) -> LearnedLimit {
        func rate(_ value: Double, _ at: Duration) -> LearnedLimit.Rate {
            LearnedLimit.Rate(micro: max(1, Int64((value * 1_000_000).rounded())), at: wallAtStart + at)
        }
        func cut(_ cut: AdaptiveRate.Cut?) -> LearnedLimit.Rate? { cut.map { rate($0.rate, $0.at) } }
        switch scope {
        case .number(let number):
            let lane = lanes[number]
            let ceiling = lane.flatMap { lane in lane.ceilingAt.map { rate(lane.rate.ceiling, $0) } }
            return LearnedLimit(scope, ceiling: ceiling, cut: cut(lane?.rate.cut))
        case .account(let account): return LearnedLimit(scope, cut: cut(accounts[account]?.cut))
        case .all: return LearnedLimit(scope, cut: cut(everything.cut))
        }
    }

    private func moment(_ wall: Timestamp) -> Duration { wall - wallAtStart }
}
