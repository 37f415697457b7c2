import EventLog

/// All limits of one instance. Pure: told the time and what happens, it answers with who may go and who is refused.
///
/// **Fairness.** Numbers that may send stand in a ring and let one message go each turn, so a number with a hundred
/// thousand waiting messages delays another one by one message at a time. Within a number replies go before bulk.
///
/// **Work.** An event costs the messages it lets go, not the numbers or messages that wait: those wait in a ring for a
/// slot, on one heap of timers for time, or nowhere for somebody's report.
struct SendLimiterState: Sendable {
    enum Decision: Sendable, Hashable {
        case go(UInt64)
        case refuse(UInt64, SendRefusal)

        var id: UInt64 {
            switch self {
            case .go(let id), .refuse(let id, _): id
            }
        }
    }

    struct Waiter: Sendable {
        let admission: SendAdmission
        let deadline: Duration
        /// In its number's line; otherwise it waits for its pair.
        var isInLine = true
    }

    struct Flight: Sendable {
        let admission: SendAdmission
        let sentAt: Duration
    }

    struct Timer: Sendable, Comparable {
        enum Target: Sendable, Hashable {
            case waiter(UInt64)
            case number(String)
        }
        let at: Duration
        let sequence: UInt64
        let target: Target

        static func < (a: Timer, b: Timer) -> Bool { (a.at, a.sequence) < (b.at, b.sequence) }
    }

    let configuration: SendLimitsConfiguration
    let wallAtStart: Timestamp
    var profiles: [String: SendingNumber] = [:]
    var lanes: [String: NumberLane] = [:]
    var waiters: [UInt64: Waiter] = [:]
    var flights: [UInt64: Flight] = [:]
    var pairs: PairTable
    var templates: [String: Hold] = [:]
    var accounts: [String: AdaptiveRate] = [:]
    var everything = AdaptiveRate(ceiling: 1)
    /// Owned partitions of all: this instance's part of every rate.
    var share = 0.0
    var waitingBulk = 0
    /// What was learned and not yet told, by key.
    var learned: [String: LearnedLimit] = [:]
    private var ready = Queue<String>()
    private var timers = MinHeap<Timer>()
    private var timerSequence: UInt64 = 0

    init(_ configuration: SendLimitsConfiguration, wallAtStart: Timestamp) {
        self.configuration = configuration
        self.wallAtStart = wallAtStart
        pairs = PairTable(capacity: configuration.maxPairs)
    }

    // MARK: Coming and going

    /// Somebody wants to send. The decision about `id` comes now or with a later event, exactly once.
    mutating func admit(_ id: UInt64, _ admission: SendAdmission, at now: Duration) -> [Decision] {
        if let refusal = obviousRefusal(of: admission, at: now) { return [.refuse(id, refusal)] }
        let deadline = now + configuration.maxWait
        waiters[id] = Waiter(admission: admission, deadline: deadline)
        lanes[admission.number]?.count(admission.kind, 1)
        if admission.kind == .bulk { waitingBulk += 1 }
        lanes[admission.number]?.enqueue(id, admission.kind)
        makeReady(admission.number)
        let decisions = poll(at: now)
        if waiters[id] != nil { setTimer(deadline, .waiter(id)) }
        return decisions
    }

    mutating func cancel(_ id: UInt64) -> [Decision] {
        remove(id) == nil ? [] : [.refuse(id, SendRefusal(.cancelled))]
    }

    /// Why waiting would be no use.
    private mutating func obviousRefusal(of admission: SendAdmission, at now: Duration) -> SendRefusal? {
        guard makeLane(admission.number, at: now), let lane = lanes[admission.number] else {
            return SendRefusal(.full, retryAfter: configuration.maxWait)
        }
        let limit = configuration.maxWaitingPerNumber
        let isFull =
            waiters.count >= configuration.maxWaiting
            || (admission.kind == .reply ? lane.waitingReplies >= limit : lane.waitingBulk >= limit)
            || admission.kind == .bulk && waitingBulk >= configuration.maxWaiting / 2
        if isFull { return SendRefusal(.full, retryAfter: .seconds(1)) }
        if case .closed(let until)? = lane.hold?.gate(at: now), until - now > configuration.maxWait {
            return SendRefusal(.held, retryAfter: until - now)
        }
        if let refusal = templateRefusal(admission, at: now) { return refusal }
        let pairWait = pairs.wait(admission.pair, at: now)
        return pairWait > configuration.maxWait ? SendRefusal(.pair, retryAfter: pairWait) : nil
    }

    private func templateRefusal(_ admission: SendAdmission, at now: Duration) -> SendRefusal? {
        switch templateKey(admission).flatMap({ templates[$0] })?.gate(at: now) {
        case .closed(let until): SendRefusal(.templatePaused, retryAfter: until - now)
        case .probing: SendRefusal(.templatePaused, retryAfter: configuration.maxWait)
        case .open, nil: nil
        }
    }

    @discardableResult
    private mutating func remove(_ id: UInt64) -> Waiter? {
        guard let waiter = waiters.removeValue(forKey: id) else { return nil }
        lanes[waiter.admission.number]?.count(waiter.admission.kind, -1)
        if waiter.admission.kind == .bulk { waitingBulk -= 1 }
        compact(waiter.admission.number)
        return waiter
    }

    /// Makes sure the number has a lane; false when there are too many already.
    mutating func makeLane(_ number: String, at now: Duration) -> Bool {
        if lanes[number] != nil { return true }
        if lanes.count >= configuration.maxNumbers { lanes = lanes.filter { !$0.value.isForgettable } }
        guard lanes.count < configuration.maxNumbers else { return false }
        let profile = profiles[number]
        lanes[number] = NumberLane(
            account: profile?.account ?? number, rate: profile?.rate ?? configuration.defaultRate, at: now)
        return true
    }

    // MARK: Time

    /// When `poll` has something to do; nil when only an event can change anything.
    var nextWake: Duration? { timers.first?.at }

    /// Lets go whom time or an event has made free.
    mutating func poll(at now: Duration) -> [Decision] {
        var decisions: [Decision] = []
        while let timer = timers.first, timer.at <= now {
            timers.removeFirst()
            fire(timer, at: now, &decisions)
        }
        while flights.count < configuration.maxInFlight, let number = ready.popFirst() {
            if let decision = serve(number, at: now) { decisions.append(decision) }
        }
        return decisions
    }

    private mutating func fire(_ timer: Timer, at now: Duration, _ decisions: inout [Decision]) {
        switch timer.target {
        case .number(let number):
            if lanes[number]?.wakeAt == timer.at { lanes[number]?.wakeAt = nil }
            makeReady(number)
        case .waiter(let id):
            guard let waiter = waiters[id] else { return }
            if waiter.deadline <= now {
                remove(id)
                decisions.append(.refuse(id, overdueRefusal(waiter.admission, at: now)))
            } else if !waiter.isInLine, pairs.wait(waiter.admission.pair, at: now) == .zero {
                waiters[id]?.isInLine = true
                lanes[waiter.admission.number]?.enqueue(id, waiter.admission.kind)
                makeReady(waiter.admission.number)
            }
        }
    }

    private func overdueRefusal(_ admission: SendAdmission, at now: Duration) -> SendRefusal {
        let lane = lanes[admission.number]
        if case .closed(let until)? = lane?.hold?.gate(at: now) { return SendRefusal(.held, retryAfter: until - now) }
        let pairWait = pairs.wait(admission.pair, at: now)
        if pairWait > .zero { return SendRefusal(.pair, retryAfter: pairWait) }
        let pause = (lane?.pausedUntil ?? now) - now
        return SendRefusal(.rate, retryAfter: max(.seconds(1), pause))
    }

    // MARK: The ring

    /// A number's turn: lets one message go, or finds out what to wait for.
    private mutating func serve(_ number: String, at now: Duration) -> Decision? {
        lanes[number]?.isReady = false
        guard let account = lanes[number]?.account else { return nil }
        let share = share(of: account, at: now)
        switch lanes[number]?.obstacle(share: share, maxInFlight: configuration.maxInFlightPerNumber, at: now) {
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
        lanes[admission.number]?.inFlight += 1
        lanes[admission.number]?.hold?.probe()
        if let key = templateKey(admission) { templates[key]?.probe() }
        pairs.take(admission.pair, at: now)
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

    private mutating func setTimer(_ at: Duration, _ target: Timer.Target) {
        timerSequence += 1
        timers.insert(Timer(at: at, sequence: timerSequence, target: target))
        // Timers of waiters that ended early stay until they are most of the heap.
        guard timers.count > 4 * (waiters.count + lanes.count) + 64 else { return }
        timers.removeAll { timer in
            switch timer.target {
            case .waiter(let id): waiters[id] == nil
            case .number(let number): lanes[number]?.wakeAt != timer.at
            }
        }
    }

    /// Takes ended waiters out of the line when they are most of it.
    private mutating func compact(_ number: String) {
        guard let lane = lanes[number], lane.replies.count + lane.bulk.count > 2 * lane.waiting + 64 else { return }
        let waiters = waiters
        lanes[number]?.replies.removeAll { waiters[$0]?.isInLine != true }
        lanes[number]?.bulk.removeAll { waiters[$0]?.isInLine != true }
    }

    /// How long a message that was let go must still wait, now that it is about to leave.
    ///
    /// A little faster than the bucket, by its margin: what stood still catches up.
    mutating func departure(_ number: String, at now: Duration) -> Duration {
        guard let lane = lanes[number] else { return .zero }
        let rate = lane.rate.value(at: now) * share(of: lane.account, at: now) / configuration.margin
        return rate > 0 ? lanes[number]?.pace.take(rate: rate, at: now) ?? .zero : .zero
    }

    func share(of account: String, at now: Duration) -> Double {
        share * configuration.margin * everything.value(at: now) * (accounts[account]?.value(at: now) ?? 1)
    }

    func templateKey(_ admission: SendAdmission) -> String? {
        guard let template = admission.template else { return nil }
        return templateKey(template, account: lanes[admission.number]?.account ?? admission.number)
    }

    func templateKey(_ template: String, account: String) -> String { "\(account)/\(template)" }

    // MARK: Holds

    /// Stops a number, and sends those away who would wait too long.
    mutating func hold(
        _ number: String, for length: Duration, isToldLater: Bool, at now: Duration
    ) -> [Decision] {
        lanes[number]?.hold = Hold(at: now, for: length, isToldLater: isToldLater)
        guard length > configuration.maxWait else { return [] }
        let waiting = waiters.filter { $0.value.admission.number == number }.map(\.key).sorted()
        return waiting.map { id in
            remove(id)
            return .refuse(id, SendRefusal(.held, retryAfter: length))
        }
    }

    mutating func pauseTemplate(_ key: String, at now: Duration) {
        if templates[key] == nil, templates.count >= configuration.maxTemplates,
            let oldest = templates.min(by: { $0.value.until < $1.value.until })
        {
            templates[oldest.key] = nil
        }
        templates[key] = Hold(at: now, for: configuration.templateHold)
    }
}
