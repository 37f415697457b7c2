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
        /// Of its number's lane.
        let place: Int
        let deadline: Duration
        /// In its number's line; otherwise it waits for its pair.
        var isInLine = true
    }

    struct Flight: Sendable {
        let admission: SendAdmission
        /// Of its number's lane.
        let place: Int
        let sentAt: Duration
    }

    struct Timer: Sendable, Comparable {
        enum Target: Sendable, Hashable {
            case waiter(UInt64)
            /// The place of a number's lane.
            case number(Int)
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
    /// Places of the numbers that may send.
    var ready = Queue<Int>()
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
        guard let place = makeLane(admission.number, at: now) else {
            return [.refuse(id, SendRefusal(.full, retryAfter: configuration.maxWait))]
        }
        if let refusal = obviousRefusal(of: admission, place, at: now) { return [.refuse(id, refusal)] }
        if mayGoAtOnce(admission, place, at: now) {
            letGo(id, admission, place, at: now)
            return [.go(id)]
        }
        let deadline = now + configuration.maxWait
        waiters[id] = Waiter(admission: admission, place: place, deadline: deadline)
        if admission.kind == .bulk { waitingBulk += 1 }
        lanes[place].enter(id, admission.kind)
        makeReady(place)
        let decisions = poll(at: now)
        if waiters[id] != nil { setTimer(deadline, .waiter(id)) }
        return decisions
    }

    mutating func cancel(_ id: UInt64) -> [Decision] {
        remove(id) == nil ? [] : [.refuse(id, SendRefusal(.cancelled))]
    }

    /// Why waiting would be no use.
    private func obviousRefusal(of admission: SendAdmission, _ place: Int, at now: Duration) -> SendRefusal? {
        let limit = configuration.maxWaitingPerNumber
        let waiting = admission.kind == .reply ? lanes[place].waitingReplies : lanes[place].waitingBulk
        let isFull =
            waiters.count >= configuration.maxWaiting || waiting >= limit
            || admission.kind == .bulk && waitingBulk >= configuration.maxWaiting / 2
        if isFull { return SendRefusal(.full, retryAfter: .seconds(1)) }
        if case .closed(let until)? = lanes[place].hold?.gate(at: now), until - now > configuration.maxWait {
            return SendRefusal(.held, retryAfter: until - now)
        }
        if let refusal = templateRefusal(admission, at: now) { return refusal }
        let pairWait = pairs.wait(admission.pair, at: now)
        return pairWait > configuration.maxWait ? SendRefusal(.pair, retryAfter: pairWait) : nil
    }

    /// Nobody is before it: no number has its turn, none of this number's messages waits, and no limit says so.
    private mutating func mayGoAtOnce(_ admission: SendAdmission, _ place: Int, at now: Duration) -> Bool {
        // A timer that is due goes first: it may give others their turn.
        guard ready.isEmpty, flights.count < configuration.maxInFlight, !lanes[place].hasLine,
            nextWake.map({ $0 > now }) ?? true, obstacle(place, at: now) == nil
        else { return false }
        return pairs.wait(admission.pair, at: now) == .zero
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
        lanes[waiter.place].count(waiter.admission.kind, -1)
        if waiter.admission.kind == .bulk { waitingBulk -= 1 }
        compact(waiter.place)
        return waiter
    }

    /// Makes sure the number has a lane, and answers its place; nil when there are too many already.
    @discardableResult
    mutating func makeLane(_ number: String, at now: Duration) -> Int? {
        if let place = lanes.place(of: number) { return place }
        if lanes.count >= configuration.maxNumbers { lanes.removeAll(where: \.isForgettable) }
        guard lanes.count < configuration.maxNumbers else { return nil }
        let profile = profiles[number]
        let rate = profile?.rate ?? configuration.defaultRate
        return lanes.insert(NumberLane(account: profile?.account ?? number, rate: rate, at: now), of: number)
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
        while flights.count < configuration.maxInFlight, let place = ready.popFirst() {
            if let decision = serve(place, at: now) { decisions.append(decision) }
        }
        return decisions
    }

    private mutating func fire(_ timer: Timer, at now: Duration, _ decisions: inout [Decision]) {
        switch timer.target {
        case .number(let place):
            if lanes[place].wakeAt == timer.at { lanes[place].wakeAt = nil }
            makeReady(place)
        case .waiter(let id):
            guard let waiter = waiters[id] else { return }
            if waiter.deadline <= now {
                remove(id)
                decisions.append(.refuse(id, overdueRefusal(waiter, at: now)))
            } else if !waiter.isInLine, pairs.wait(waiter.admission.pair, at: now) == .zero {
                waiters[id]?.isInLine = true
                lanes[waiter.place].enqueue(id, waiter.admission.kind)
                makeReady(waiter.place)
            }
        }
    }

    private func overdueRefusal(_ waiter: Waiter, at now: Duration) -> SendRefusal {
        if case .closed(let until)? = lanes[waiter.place].hold?.gate(at: now) {
            return SendRefusal(.held, retryAfter: until - now)
        }
        let pairWait = pairs.wait(waiter.admission.pair, at: now)
        if pairWait > .zero { return SendRefusal(.pair, retryAfter: pairWait) }
        let pause = lanes[waiter.place].pausedUntil - now
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
            case .number(let place): lanes[place].wakeAt != timer.at
            }
        }
    }

    /// Takes ended waiters out of the line when they are most of it.
    private mutating func compact(_ place: Int) {
        guard lanes[place].isMostlyGone else { return }
        let waiters = waiters
        lanes[place].replies.removeAll { waiters[$0]?.isInLine != true }
        lanes[place].bulk.removeAll { waiters[$0]?.isInLine != true }
    }
}
