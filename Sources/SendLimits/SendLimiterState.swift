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
    var lanes = NumberLanes()
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
    var ready = Queue<String>()
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

    func templateRefusal(_ admission: SendAdmission, at now: Duration) -> SendRefusal? {
        switch templateKey(admission).flatMap({ templates[$0] })?.gate(at: now) {
        case .closed(let until): SendRefusal(.templatePaused, retryAfter: until - now)
        case .probing: SendRefusal(.templatePaused, retryAfter: configuration.maxWait)
        case .open, nil: nil
        }
    }

    @discardableResult
    mutating func remove(_ id: UInt64) -> Waiter? {
        guard let waiter = waiters.removeValue(forKey: id) else { return nil }
        lanes[waiter.admission.number]?.count(waiter.admission.kind, -1)
        if waiter.admission.kind == .bulk { waitingBulk -= 1 }
        compact(waiter.admission.number)
        return waiter
    }

    /// Makes sure the number has a lane; false when there are too many already.
    mutating func makeLane(_ number: String, at now: Duration) -> Bool {
        if lanes[number] != nil { return true }
        if lanes.count >= configuration.maxNumbers { lanes.removeAll(where: \.isForgettable) }
        guard lanes.count < configuration.maxNumbers else { return false }
        let profile = profiles[number]
        let rate = profile?.rate ?? configuration.defaultRate
        lanes.insert(NumberLane(account: profile?.account ?? number, rate: rate, at: now), of: number)
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

    mutating func setTimer(_ at: Duration, _ target: Timer.Target) {
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
}
